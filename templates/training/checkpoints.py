"""The checkpoints of a run on disk: whole under their name, or not there. Standard library only."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from templates.agent.manifest import (
    NAME,
    build_manifest,
    check_manifest,
    checkpoint_folders,
    newest_complete,
    read_manifest,
    write_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_STAGING = ".staging-"
_SET_ASIDE = "set-aside-"
_TIMES = "save-times.json"


def checkpoint_folder(output_dir: str, step: int) -> Path:
    """Give the folder of the checkpoint of a step."""
    return Path(output_dir) / f"checkpoint-{step}"


def staging_folder(target: Path) -> Path:
    """Give the folder in which `target`'s parts are written before it gets its name."""
    return target.parent / f"{_STAGING}{target.name}"


def commit(target: Path, **facts: object) -> int:
    """Make a written folder (`staging_folder(target) / target.name`) durable and complete under its name.

    Args:
        target: Where it goes; a folder that is there already is replaced.
        **facts: What its manifest says beside the files.

    Returns:
        Its bytes.
    """
    staging = staging_folder(target)
    written = staging / target.name
    for path in written.rglob("*"):
        # safetensors makes its files readable for their owner only; the user may collect as somebody else.
        path.chmod(path.stat().st_mode | 0o444)
    manifest = build_manifest(written, **facts)
    write_manifest(written, manifest)
    if target.exists():
        target.rename(staging / "replaced")
    written.rename(target)
    fsync_folder(target.parent)
    shutil.rmtree(staging)
    return sum(entry["size"] for entry in manifest["files"].values())


def fsync_folder(folder: Path) -> None:
    """Make the names inside `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def find_start(folder: Path, note: Callable[[str], None]) -> Path | None:
    """Find the newest complete checkpoint, after clearing away what a crash left.

    Half-written ones are removed. Newer ones that do not verify are set aside, with the reason, until the next
    complete checkpoint makes them useless.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{_STAGING}*"):
        shutil.rmtree(left)
        note(f"a half-written checkpoint was removed: {left.name.removeprefix(_STAGING)}")
    newest = newest_complete(folder)
    for _, broken in checkpoint_folders(folder):
        if broken == newest:
            break
        reason = next(iter(check_manifest(broken)), "its manifest names another step")
        _set_aside(broken)
        note(f"{broken.name} is set aside: {reason}")
    return newest


def _set_aside(broken: Path) -> None:
    target = broken.with_name(f"{_SET_ASIDE}{broken.name}")
    shutil.rmtree(target, ignore_errors=True)
    broken.rename(target)


def prune(folder: Path, keep: int) -> list[Path]:
    """Remove all but the `keep` newest complete checkpoints (at least one stays), and what was set aside.

    Only complete ones count: a broken folder never pushes out a good one.
    """
    complete = [path for _, path in checkpoint_folders(folder) if (path / NAME).is_file()]
    old = [*complete[max(1, keep) :], *folder.glob(f"{_SET_ASIDE}*")]
    for path in old:
        shutil.rmtree(path)
    return old


def lacking_bytes(folder: Path, needed_bytes: int) -> int:
    """Give how many bytes the disk under `folder` is short of `needed_bytes`; 0 when they fit."""
    return max(0, needed_bytes - shutil.disk_usage(folder).free)


def newest_bytes(folder: Path) -> int:
    """Give the bytes of the newest checkpoint that has a manifest, 0 without one."""
    for _, path in checkpoint_folders(folder):
        if (path / NAME).is_file():
            return sum(entry["size"] for entry in read_manifest(path)["files"].values())
    return 0


def read_times(folder: Path) -> tuple[float, float]:
    """Give the step and save seconds that an earlier attempt measured, or zeros."""
    try:
        times = json.loads((folder / _TIMES).read_text())
        return float(times["step_seconds"]), float(times["save_seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        # Advice only: without it the first save is measured again.
        return 0.0, 0.0


def write_times(folder: Path, step_seconds: float, save_seconds: float) -> None:
    """Keep the measured seconds for a later attempt."""
    write_durably(folder / _TIMES, json.dumps({"step_seconds": step_seconds, "save_seconds": save_seconds}))


def write_durably(path: Path, text: str) -> None:
    """Replace a file in one step, and have it on the disk."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    fsync_folder(path.parent)
