"""Where a run's checkpoints are at home: on scratch first, on the durable disk, and in blob storage if asked for."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from transformers import TrainerCallback

from templates.training import mirror, scratch, sizes
from templates.training.background import Background
from templates.training.drain_copy import drop_other_copies
from templates.training.start import find_start
from templates.training.two_speed import TwoSpeed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from templates.training.setup import Run
    from templates.training.start import Start


def newest_start(run: Run, identity: Mapping[str, Any]) -> Start:
    """Find the newest complete checkpoint of the run in all of its homes (rank 0 alone).

    One in blob storage is fetched only when it is newer than all that are here: after the disk was lost, say.

    Raises:
        ForeignCheckpointError: There are complete checkpoints, and all of them are another run's.
        OSError: A disk cannot be read or written.
    """
    roots = run.folders.roots
    if run.folders.scratch is None:
        # Half of a copy from another machine's scratch, which nobody will take up.
        drop_other_copies(run.folders.checkpoints, None)
    start = find_start(roots, identity, run.metrics)
    if run.asked.llamalift_mirror:
        run.metrics.phase("looking_into_mirror")
        if mirror.fetch_newer(run.asked.llamalift_mirror, roots[0], start.step, run.metrics):
            return find_start(roots, identity, run.metrics)
    return start


def folder_for_saves(run: Run, parameters: int) -> Path:
    """Give the folder that checkpoints are written to: scratch, if it could ever hold two."""
    fast, durable = run.folders.scratch, run.folders.checkpoints
    if fast is None:
        return durable
    needed = sizes.checkpoint_bytes(parameters, run.zero_stage, run.translated.precision)
    if scratch.is_large_enough(fast, needed):
        return fast
    total = shutil.disk_usage(fast).total
    run.metrics.note(f"scratch of {total:,} bytes holds no two checkpoints of {needed:,}: it is not used")
    return durable


class Homes(TrainerCallback):
    """Keeps the programs running that bring checkpoints from one home to the next; on rank 0, nothing elsewhere."""

    def __init__(self, run: Run, saves: Path, keep: int) -> None:
        """Saves go to `saves`; `keep` complete checkpoints stay on the durable disk."""
        self._run = run
        self._two_speed: TwoSpeed | None = None
        self._mirror: Background | None = None
        durable = run.folders.checkpoints
        if not run.ranks.is_first:
            return
        if saves != durable:
            self._two_speed = TwoSpeed(saves, durable, keep)
            self._two_speed.start()
        if url := run.asked.llamalift_mirror:
            words = ["--checkpoints", str(durable), "--mirror", url, "--keep", str(keep)]
            if saves != durable:
                words += ["--scratch", str(saves)]
            self._mirror = Background("templates.training.mirror", words)
            self._mirror.ensure()

    def on_save(self, *_args: object, **_kwargs: object) -> None:
        """A checkpoint is complete: it must go on its way."""
        if self._two_speed is not None:
            self._two_speed.saved()
        if self._mirror is not None:
            self._mirror.ensure()

    def hold_saves(self) -> bool:
        """Whether a save would come too soon for the drain; asked on rank 0 only."""
        return self._two_speed is not None and self._two_speed.holds_saves()

    def wait_until_durable(self) -> None:
        """Wait until the newest checkpoint is on the durable disk, or cannot be (all ranks take part)."""
        self._run.ranks.first(self._wait)

    def _wait(self) -> None:
        if self._two_speed is None:
            return
        self._run.metrics.phase("draining")
        if trouble := self._two_speed.wait():
            self._run.metrics.note(trouble)
