"""Whether what must be written fits; old checkpoints give way, as long as the newest complete one stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from templates.training import prune, sizes

if TYPE_CHECKING:
    from pathlib import Path

    from templates.training.setup import Run


def has_room(run: Run, parameters: int, folder: Path) -> bool:
    """Say whether one more checkpoint fits; the newest one's size is the best guess, arithmetic the first."""
    needed = max(map(prune.newest_bytes, run.folders.roots)) or sizes.checkpoint_bytes(
        parameters, run.zero_stage, run.translated.precision
    )
    lacking = lacking_bytes(run, needed, folder)
    if lacking:
        text = f"a checkpoint of {needed:,} bytes does not fit, training goes on without it: {lacking:,} bytes short"
        run.metrics.warn("disk_full", text)
    return not lacking


def lacking_bytes(run: Run, needed_bytes: int, folder: Path) -> int:
    """Make room among the checkpoints in `folder` if need be; give how many bytes are short all the same."""
    try:
        short, removed = prune.make_room(folder, needed_bytes)
    except OSError as error:
        run.metrics.warn("disk_full", f"old checkpoints could not be removed: {error}")
        return prune.lacking_bytes(folder, needed_bytes)
    if removed:
        names = ", ".join(path.name for path in removed)
        run.metrics.note(f"removed to make room for {needed_bytes:,} bytes: {names}")
    return short
