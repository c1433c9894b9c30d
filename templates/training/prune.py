"""Old checkpoints make room for new ones; the newest complete one always stays. Standard library only."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from templates.agent.manifest import NAME, ManifestError, checkpoint_folders, read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WANTED = "wanted.json"
"""Beside the checkpoints: the steps that the user asked for by number, which are never pruned."""
SET_ASIDE = "set-aside-"
TRASH = ".trash-"
# Folders, names and what others write meanwhile (logs, the agent's state) beside the files themselves.
_SPARE_SHARE, _SPARE_BYTES = 0.01, 1 << 20


def prune(folder: Path, keep: int) -> list[Path]:
    """Remove all but the `keep` newest complete checkpoints (at least one stays), and what was set aside.

    Only complete ones count: a broken folder never pushes out a good one. Each loses its name before its first file,
    so that a crash leaves no half of one under a checkpoint's name.

    Raises:
        OSError: The disk refused; nothing is lost by that but room.
    """
    wanted = _wanted(folder)
    old = [*(path for path in _complete(folder)[max(1, keep) :] if path.name not in wanted), *set_aside(folder)]
    for path in old:
        remove(path)
    return old


def set_aside(folder: Path) -> list[Path]:
    """Give what was found damaged and set aside."""
    return sorted(folder.glob(f"{SET_ASIDE}*"))


def remove(path: Path) -> None:
    """Remove a folder, link or file so that no moment shows half of it under its name."""
    trash = path.with_name(f"{TRASH}{path.name}")
    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    if trash.exists():
        shutil.rmtree(trash)
    path.rename(trash)
    shutil.rmtree(trash)


def make_room(folder: Path, needed_bytes: int) -> tuple[int, list[Path]]:
    """Free room for `needed_bytes` under `folder`, giving up what was set aside, then the oldest checkpoints.

    The newest complete checkpoint always stays: a run without one risks everything for a newer one. Nothing is
    removed when even all of that would not do.

    Returns:
        How many bytes are short (0: it fits), and what was removed for it.

    Raises:
        OSError: The disk refused to remove something.
    """
    removed: list[Path] = []
    short = lacking_bytes(folder, needed_bytes)
    if not short:
        return 0, removed
    wanted = _wanted(folder)
    spare = [*set_aside(folder), *(path for path in reversed(_complete(folder)[1:]) if path.name not in wanted)]
    if sum(map(_bytes, spare)) < short:
        return short, removed
    for path in spare:
        remove(path)
        removed.append(path)
        short = lacking_bytes(folder, needed_bytes)
        if not short:
            break
    return short, removed


def lacking_bytes(folder: Path, needed_bytes: int) -> int:
    """Give how many bytes the disk under `folder` is short of `needed_bytes` and a little spare; 0 when they fit."""
    spare = int(needed_bytes * _SPARE_SHARE) + _SPARE_BYTES
    return max(0, needed_bytes + spare - shutil.disk_usage(folder).free)


def newest_bytes(folder: Path) -> int:
    """Give the bytes of the newest checkpoint that has a manifest, 0 without one."""
    return next((_bytes(path) for path in _complete(folder)), 0)


def _wanted(folder: Path) -> set[str]:
    try:
        return {f"checkpoint-{int(step)}" for step in json.loads((folder / WANTED).read_text())["steps"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _complete(folder: Path) -> list[Path]:
    """Those with a manifest, newest first. Their content was checked when they were written, or at the start."""
    return [path for _, path in checkpoint_folders(folder) if (path / NAME).is_file()]


def _bytes(path: Path) -> int:
    try:
        return sum(entry["size"] for entry in read_manifest(path)["files"].values())
    except ManifestError:
        return sum(_sizes(path))


def _sizes(path: Path) -> Iterator[int]:
    for entry in path.rglob("*"):
        if entry.is_file() and not entry.is_symlink():
            yield entry.stat().st_size
