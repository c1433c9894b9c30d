"""Drains one checkpoint again and again, each time killed one step further on, and checks what is left.

`python -m tests.fakes.drain_until_killed FOLDER` prints one JSON object: `points`, and `wrong`, a line for each ending
that was not right. Points are the standard library's own doors to the disk: opening, renaming, linking, removing,
making folders, making durable.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from templates.agent.manifest import check_manifest
from templates.training import drain
from tests.fakes.written_checkpoints import same_content, steps_in, write_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

_DOORS = ("open", "os.", "shutil.")
_NOT_DOORS = {"os.listdir", "os.scandir", "os.getxattr", "os.listxattr"}
_MOST_POINTS = 500


def main(folder: Path) -> None:
    """Kill at every point, one after the other."""
    master = folder / "master"
    write_checkpoint(master / "durable" / "checkpoints", 4)
    write_checkpoint(master / "scratch", 8, size=3000)
    wrong: list[str] = []
    points = 0
    while points < _MOST_POINTS:
        points += 1
        disks = folder / "disks"
        shutil.rmtree(disks, ignore_errors=True)
        shutil.copytree(master, disks)
        if _drain(disks, kill_at=points) == 0:
            break
        wrong += [f"killed at {points}: {what}" for what in _check_killed(disks, master)]
        if _drain(disks, kill_at=0) != 0:
            wrong.append(f"killed at {points}: the next drain failed")
        wrong += [f"drained after {points}: {what}" for what in _check_done(disks, master)]
    print(json.dumps({"points": points - 1, "wrong": wrong}))  # noqa: T201 - its one answer


def _drain(disks: Path, *, kill_at: int) -> int:
    """Drain in a process of its own, killed at a point (0: never); give its wait status."""
    pid = os.fork()
    if pid == 0:
        _die_at(kill_at)
        words = ["--scratch", str(disks / "scratch"), "--checkpoints", str(disks / "durable" / "checkpoints")]
        os._exit(drain.main([*words, "--keep", "1", "--once"]))
    return os.waitpid(pid, 0)[1]


def _die_at(number: int) -> None:
    passed = 0

    def point() -> None:
        nonlocal passed
        passed += 1
        if passed == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def look(event: str, _arguments: tuple[object, ...]) -> None:
        if event.startswith(_DOORS) and event not in _NOT_DOORS:
            point()

    # A killed process loses nothing that it has written: the point is enough, the waiting is not needed.
    os.fsync = lambda fd: point()  # noqa: ARG005 - the name is the standard library's
    sys.addaudithook(look)


def _check_killed(disks: Path, master: Path) -> Iterator[str]:
    """Whatever has a checkpoint's name is whole, and nothing that was there is lost."""
    durable = disks / "durable" / "checkpoints"
    if not steps_in(durable):
        yield "no durable checkpoint is left"
    for checkpoint in durable.glob("checkpoint-*"):
        # Pruning takes the old one apart only when the new one is whole.
        if problems := check_manifest(checkpoint):
            if checkpoint.name == "checkpoint-4" and not check_manifest(durable / "checkpoint-8"):
                continue
            yield f"{checkpoint.name} is not whole: {problems}"
    if not same_content(disks / "scratch" / "checkpoint-8", master / "scratch" / "checkpoint-8"):
        yield "the checkpoint on scratch has changed"


def _check_done(disks: Path, master: Path) -> Iterator[str]:
    durable = disks / "durable" / "checkpoints"
    if not same_content(durable / "checkpoint-8", master / "scratch" / "checkpoint-8"):
        yield "it is not what was on scratch"
    left = {path.name for path in durable.iterdir()} - {"checkpoint-8", "checkpoint-4", ".draining-lock"}
    left |= {path.name for path in (disks / "scratch").iterdir()} - {"checkpoint-8"}
    if left:
        yield f"something is left: {sorted(left)}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
