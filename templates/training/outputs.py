"""What a run promises beside its model: logs, metrics and chosen checkpoints, each file with its size and SHA-256.

`python -m templates.training.outputs --run-dir DIR …` prints it as JSON: `{"files": {path: {"size", "sha256"}},
"copied": [path], "missing": [step]}`, paths relative to the run's folder. What may grow while it is fetched is copied
to `outputs/` first, and fetched from there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from templates.agent.manifest import NAME, checkpoint_folders, read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK_BYTES = 1 << 20
_METRICS = "metrics.jsonl"
COPIES = "outputs"
"""Folder beside the logs for what is fetched while the agent goes on writing."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is promised.

    Attributes:
        checkpoints: `none`, `last`, `all` or the steps, separated by commas.
        logs: Whether the logs are.
        metrics: Whether metrics.jsonl is.
    """

    checkpoints: str
    logs: bool
    metrics: bool

    @classmethod
    def add_to(cls, parser: argparse.ArgumentParser) -> None:
        """Take it from the command line."""
        parser.add_argument("--run-dir", type=Path, required=True, help="The run's folder.")
        parser.add_argument("--checkpoints", default="none", help="none, last, all, or steps separated by commas.")
        parser.add_argument("--logs", action="store_true", help="The logs, too.")
        parser.add_argument("--metrics", action="store_true", help="metrics.jsonl, too.")

    @classmethod
    def of(cls, asked: argparse.Namespace) -> Wanted:
        """What the command line says."""
        return cls(asked.checkpoints, asked.logs, asked.metrics)


def outputs_of(run_dir: Path, wanted: Wanted) -> dict[str, Any]:
    """Every promised file as it is now, and the steps of promised checkpoints that are not there.

    A file that grows is taken as long as it was when it was looked at.
    """
    complete = {step: folder for step, folder in checkpoint_folders(run_dir / "checkpoints") if _is_complete(folder)}
    steps = _steps(wanted.checkpoints, sorted(complete))
    files: dict[str, dict[str, Any]] = {}
    for step in steps:
        if step in complete:
            files.update(_listed(complete[step], f"checkpoints/checkpoint-{step}"))
    for path in _plain(run_dir, wanted):
        files[path.relative_to(run_dir).as_posix()] = measured(path)
    return {"files": files, "missing": [step for step in steps if step not in complete]}


def measured(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file that may grow meanwhile."""
    digest, left = hashlib.sha256(), path.stat().st_size
    size = left
    with path.open("rb") as file:
        while left and (data := file.read(min(left, _CHUNK_BYTES))):
            digest.update(data)
            left -= len(data)
    return {"size": size - left, "sha256": digest.hexdigest()}


def _listed(folder: Path, where: str) -> dict[str, dict[str, Any]]:
    listed = {f"{where}/{name}": dict(entry) for name, entry in read_manifest(folder)["files"].items()}
    # The manifest last: a checkpoint without it does not count.
    return {**listed, f"{where}/{NAME}": measured(folder / NAME)}


def _plain(run_dir: Path, wanted: Wanted) -> Iterator[Path]:
    if wanted.logs:
        yield from sorted(path for path in (run_dir / "logs").glob("*") if path.is_file() and not path.is_symlink())
    if wanted.metrics and (run_dir / _METRICS).is_file():
        yield run_dir / _METRICS


def _copied(run_dir: Path, wanted: Wanted) -> list[str]:
    paths = [path.relative_to(run_dir).as_posix() for path in _plain(run_dir, wanted)]
    for path in paths:
        copy = run_dir / COPIES / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run_dir / path, copy)
    return paths


def _steps(asked: str, complete: list[int]) -> list[int]:
    if asked == "none":
        return []
    if asked == "all":
        return complete
    if asked == "last":
        return complete[-1:]
    return [int(step) for step in asked.split(",")]


def _is_complete(folder: Path) -> bool:
    return (folder / NAME).is_file()


def main(argv: list[str]) -> int:
    """Print what is promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    Wanted.add_to(parser)
    asked = parser.parse_args(argv)
    wanted = Wanted.of(asked)
    copied = _copied(asked.run_dir, wanted)
    found = outputs_of(asked.run_dir, wanted)
    found["files"] |= {path: measured(asked.run_dir / COPIES / path) for path in copied}
    print(json.dumps({**found, "copied": copied}))  # noqa: T201 - the client reads it over SSH
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
