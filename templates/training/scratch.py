"""Checkpoints on the machine's own disks: fast, and gone with the machine. Standard library only.

What stays there: the newest complete one (a trainer that crashes goes on from it), the one that is being drained, and
the one that is being written; so at most three, and two while drains keep up with saves.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from templates.agent.manifest import NAME, checkpoint_folders

if TYPE_CHECKING:
    from collections.abc import Iterator

_PINNED = ".pinned-"
# The kept one and the one being written, and a little for the file system's own.
LEAST_CHECKPOINTS = 2.1


def newest_step(checkpoints: Path) -> int:
    """The highest step in a folder whose checkpoint has its manifest, 0 without one. Reads no file."""
    return next((step for step, folder in checkpoint_folders(checkpoints) if (folder / NAME).is_file()), 0)


def is_large_enough(folder: Path, checkpoint_bytes: int) -> bool:
    """Whether the disk under `folder` could ever hold one checkpoint while the next is written."""
    return shutil.disk_usage(folder).total >= LEAST_CHECKPOINTS * checkpoint_bytes


@contextmanager
def pinned(checkpoint: Path) -> Iterator[Path]:
    """Hold on to a checkpoint's files, by hard links, while others may prune it; yields the folder to read from.

    Raises:
        FileNotFoundError: It was pruned before it could be held.
    """
    holder = checkpoint.parent / f"{_PINNED}{checkpoint.name}"
    shutil.rmtree(holder, ignore_errors=True)
    held = holder / checkpoint.name
    try:
        for parent, _, names in os.walk(checkpoint, onerror=_raise):
            folder = held / Path(parent).relative_to(checkpoint)
            folder.mkdir(parents=True, exist_ok=True)
            for name in names:
                (folder / name).hardlink_to(Path(parent, name))
        yield held
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def drop_pins(checkpoints: Path) -> None:
    """Let go of what a drain that was killed held."""
    for left in checkpoints.glob(f"{_PINNED}*"):
        shutil.rmtree(left, ignore_errors=True)


def _raise(error: OSError) -> None:
    raise error
