"""The checkpoints at a glance: by their manifests' presence and sizes. The trainer verifies contents when it starts."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from templates.agent.manifest import NAME, ManifestError, checkpoint_folders, read_manifest

if TYPE_CHECKING:
    from pathlib import Path


def newest_step(checkpoints: Path) -> int:
    """Step of the newest checkpoint that has a manifest, 0 without one."""
    return next((step for step, path in checkpoint_folders(checkpoints) if (path / NAME).is_file()), 0)


def has_room(checkpoints: Path) -> bool:
    """Whether one more fits once the half-written one is removed, as the trainer does at its start.

    False when there is none to go by.
    """
    whole = next((path for _, path in checkpoint_folders(checkpoints) if (path / NAME).is_file()), None)
    if whole is None:
        return False
    try:
        needed = sum(int(entry["size"]) for entry in read_manifest(whole)["files"].values())
    except ManifestError:
        return False
    parts = (path.stat().st_size for path in checkpoints.glob(".staging-*/**/*") if path.is_file())
    return shutil.disk_usage(checkpoints).free + sum(parts) > needed
