"""The checkpoints of a run on disk: whole under their name, or not there. Standard library only."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from templates.agent.manifest import build_manifest, write_manifest

STAGING = ".staging-"
REPLACED = "replaced"
_TIMES = "save-times.json"


def checkpoint_folder(output_dir: str, step: int) -> Path:
    """Give the folder of the checkpoint of a step."""
    return Path(output_dir) / f"checkpoint-{step}"


def staging_folder(target: Path) -> Path:
    """Give the folder in which `target`'s parts are written before it gets its name."""
    return target.parent / f"{STAGING}{target.name}"


def begin(target: Path) -> Path:
    """Make an empty folder in which `target` is to be written, and give it.

    Raises:
        OSError: The disk refused.
    """
    staging = staging_folder(target)
    if staging.exists():
        # Parts of an attempt that was cut short must never become parts of this one.
        shutil.rmtree(staging)
    written = staging / target.name
    written.mkdir(parents=True)
    return written


def commit(target: Path, **facts: object) -> int:
    """Make a written folder (`staging_folder(target) / target.name`) durable and complete under its name.

    Whenever this is cut short, `target` is the old one, or the new one, or `leftovers.clear` brings back one of them.

    Args:
        target: Where it goes; a folder that is there already is replaced.
        **facts: What its manifest says beside the files.

    Returns:
        Its bytes.

    Raises:
        OSError: The disk refused; `target` is as it was.
        ManifestError: A link or special file is among what was written, or a file changed meanwhile.
    """
    staging = staging_folder(target)
    written = staging / target.name
    for path in written.rglob("*"):
        # safetensors makes its files readable for their owner only; the user may collect as somebody else.
        path.chmod(path.stat().st_mode | 0o444)
    manifest = build_manifest(written, **facts)
    write_manifest(written, manifest)
    fsync_folder(staging)
    if target.exists():
        _swap(written, target, staging / REPLACED)
    else:
        written.rename(target)
    fsync_folder(target.parent)
    shutil.rmtree(staging, ignore_errors=True)
    return sum(entry["size"] for entry in manifest["files"].values())


def _swap(written: Path, target: Path, old: Path) -> None:
    target.rename(old)
    # Both names on the disk before the next: what a crash leaves here says what to do.
    fsync_folder(old.parent)
    fsync_folder(target.parent)
    try:
        written.rename(target)
    except OSError:
        old.rename(target)
        raise


def fsync_folder(folder: Path) -> None:
    """Make the names inside `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
