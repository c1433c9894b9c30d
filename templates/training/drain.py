"""The drain: brings checkpoints from scratch to the durable disk while the training goes on.

One at a time, always the newest: what became complete on scratch meanwhile and is no longer the newest is never copied.
A copy under way is finished first, since otherwise a disk slower than the saves would never hold a new one.

Run by the trainer's first rank, with which it ends: `python -m templates.training.drain --scratch DIR --checkpoints
DIR --keep N`. Killed at any moment, the next one goes on where this one was. `LLAMALIFT_DRAIN_BYTES_PER_SECOND` holds
it to the speed of a slower disk, for rehearsals. Standard library only.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import os
import shutil
import sys
import time
from pathlib import Path

from templates.agent.manifest import ManifestError, checkpoint_folders
from templates.training import checkpoints, drain_state, prune, scratch
from templates.training.drain_copy import PREFIX, Copy, DamagedError, drop_other_copies
from templates.training.metrics import Metrics
from templates.training.orphans import die_with_parent
from templates.training.pace import Pace

RATE_VARIABLE = "LLAMALIFT_DRAIN_BYTES_PER_SECOND"
_LOOK_SECONDS = 0.25
_TELL_SECONDS = 0.25
# A full disk may be made roomier by hand; a newer checkpoint is tried at once.
_RETRY_SECONDS = 30.0
_NICENESS = 10


class Drain:
    """Looks for the newest checkpoint on scratch that is not durable yet, and makes it so."""

    def __init__(self, source: Path, target: Path, keep: int, *, bytes_per_second: float = 0.0) -> None:
        """Drain `source` to `target` at most at a rate (0: none), where `keep` complete checkpoints stay."""
        self._source = source
        self._target = target
        self._keep = keep
        self._rate = bytes_per_second
        self._run_folder = target.parent
        self._metrics = Metrics(self._run_folder / "metrics.jsonl")
        self._failed_step = 0
        self._again_at = 0.0
        self._told_at = 0.0

    def clean_up(self) -> None:
        """Clear away what an earlier drain left when it was killed, but for the copy that can be taken up."""
        scratch.drop_pins(self._source)
        drain_state.write_trouble(self._run_folder, None)
        step = scratch.newest_step(self._source)
        drop_other_copies(self._target, step if step > scratch.newest_step(self._target) else None)

    def look(self) -> bool:
        """Drain one checkpoint if there is one to drain; whether there was."""
        step = scratch.newest_step(self._source)
        if step <= scratch.newest_step(self._target) or (step == self._failed_step and time.time() < self._again_at):
            return False
        folder = next(path for found, path in checkpoint_folders(self._source) if found == step)
        try:
            with scratch.pinned(folder) as held:
                self._drain(step, folder, held)
        except FileNotFoundError:
            # Pruned between the look and the hold: there is a newer one.
            return True
        return True

    def _drain(self, step: int, folder: Path, held: Path) -> None:
        began, pace = time.monotonic(), Pace(self._rate)
        target = checkpoints.checkpoint_folder(str(self._target), step)
        try:
            copy = Copy(held, target, pace=pace, tell=lambda done, total: self._tell(step, done, total, pace))
            drop_other_copies(self._target, step)
            lacking, _ = prune.make_room(self._target, copy.missing_bytes)
            if lacking:
                self._full(step, copy, f"{lacking:,} bytes short")
                return
            copy.run()
        except (DamagedError, ManifestError) as error:
            self._damaged(step, folder, str(error))
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                self._fail(step, f"checkpoint-{step} is not on the workspace yet: {error}")
                self._metrics.note(f"checkpoint-{step} could not be drained, it is tried again: {error}")
                return
            self._full(step, copy, "it filled up meanwhile")
        else:
            prune.prune(self._target, self._keep)
            self._done(step, copy.bytes, time.monotonic() - began, pace.bytes_per_second)

    def _tell(self, step: int, done: int, total: int, pace: Pace) -> None:
        if time.monotonic() - self._told_at < _TELL_SECONDS and done < total:
            return
        self._told_at = time.monotonic()
        rate = round(pace.bytes_per_second, 1)
        drain_state.write_progress(self._run_folder, drain_state.Progress(step, total, done, rate, time.time()))

    def _done(self, step: int, size: int, seconds: float, rate: float) -> None:
        self._failed_step = 0
        drain_state.write_trouble(self._run_folder, None)
        facts = {"seconds": round(seconds, 3), "bytes": size, "bytes_per_second": round(rate, 1)}
        self._metrics.event("drained", step=step, **facts)

    def _full(self, step: int, copy: Copy, how: str) -> None:
        """The durable disk cannot hold it: nothing of it stays there, and what is older is not touched."""
        text = f"checkpoint-{step} of {copy.bytes:,} bytes does not fit on the workspace and stays on scratch: {how}"
        copy.discard()
        if self._failed_step != step:
            self._metrics.problem("disk_full", text)
        self._fail(step, text)

    def _damaged(self, step: int, folder: Path, why: str) -> None:
        drop_other_copies(self._target, None)
        aside = folder.with_name(f"{prune.SET_ASIDE}{folder.name}")
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
        self._metrics.note(f"{folder.name} on scratch is set aside: {why}")
        self._fail(step, f"checkpoint-{step} on scratch is damaged: {why}")

    def _fail(self, step: int, text: str) -> None:
        self._failed_step, self._again_at = step, time.time() + _RETRY_SECONDS
        drain_state.write_progress(self._run_folder, None)
        drain_state.write_trouble(self._run_folder, drain_state.Trouble(step, text))


def main(argv: list[str]) -> int:
    """Drain until the trainer is gone; with `--once` until nothing is left to drain."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", type=Path, required=True, help="The checkpoints on scratch.")
    parser.add_argument("--checkpoints", type=Path, required=True, help="The durable ones.")
    parser.add_argument("--keep", type=int, default=1, help="How many durable ones stay.")
    parser.add_argument("--once", action="store_true", help="End when there is nothing to drain.")
    asked = parser.parse_args(argv)
    if not asked.once:
        die_with_parent()
    os.nice(_NICENESS)
    with (asked.checkpoints / f"{PREFIX}lock").open("a") as lock:
        # The drain of a trainer that was killed a moment ago may still be there.
        fcntl.flock(lock, fcntl.LOCK_EX)
        drain = Drain(
            asked.scratch, asked.checkpoints, asked.keep, bytes_per_second=float(os.environ.get(RATE_VARIABLE, "0"))
        )
        drain.clean_up()
        while True:
            if not drain.look():
                if asked.once:
                    return 0
                time.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
