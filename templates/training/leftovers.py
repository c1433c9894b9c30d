"""What a crash left in the middle of a save: finished, put back, or removed. Standard library only."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from templates.agent.manifest import check_manifest
from templates.training.checkpoints import REPLACED, STAGING, fsync_folder
from templates.training.prune import TRASH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# A checkpoint converted for another number of processes: useful to the start that made it, and to no other.
UNIVERSAL = ".universal-"


def clear(folder: Path, note: Callable[[str], None]) -> None:
    """Clear `folder` of half-written and half-removed folders; one that was being replaced is whole afterwards.

    Raises:
        OSError: The disk refused.
    """
    for staging in folder.glob(f"{STAGING}*"):
        name = staging.name.removeprefix(STAGING)
        if _rescue(staging, folder / name):
            note(f"{name} was being replaced when a crash came: it is whole")
        else:
            what = "checkpoint" if name.startswith("checkpoint-") else "folder"
            note(f"a half-written {what} was removed: {name}")
        shutil.rmtree(staging)
    for prefix in (TRASH, UNIVERSAL):
        for path in folder.glob(f"{prefix}*"):
            shutil.rmtree(path)


def _rescue(staging: Path, target: Path) -> bool:
    """Between its two renames a commit has the old one in staging, and the new one, complete, beside it."""
    old, new = staging / REPLACED, staging / target.name
    if target.exists() or not old.exists():
        return False
    (old if check_manifest(new) else new).rename(target)
    fsync_folder(target.parent)
    return True
