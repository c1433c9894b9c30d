"""What this computer must have, and what it may have."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.state_folder import StateFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

# The training environment of a rehearsal machine, a tiny model, its checkpoints.
_REHEARSAL_BYTES = 3_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One check.

    Attributes:
        subject: What was looked at.
        fact: What was found.
        is_good: Nothing to do.
        is_optional: llamalift works without it.
        hint: What to do about it, or empty.
    """

    subject: str
    fact: str
    is_good: bool
    is_optional: bool = False
    hint: str = ""


def check_computer() -> Sequence[Finding]:
    """Everything that can be told without signing in anywhere."""
    return [_python(), _state_folder(), _disk(), _program("ssh", "for `llamalift ssh`"), *_rehearsal()]


def _python() -> Finding:
    fact = f"{platform.python_version()} at {sys.executable}"
    return Finding("python", fact, is_good=sys.version_info >= (3, 11))


def _state_folder() -> Finding:
    root = StateFolder.of_user().root
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    good = os.access(existing, os.W_OK)
    return Finding(
        "state", str(root), is_good=good, hint="" if good else "set LLAMALIFT_STATE_DIR to a folder that you may write"
    )


def _disk() -> Finding:
    root = StateFolder.of_user().root
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    good = free > _REHEARSAL_BYTES
    hint = "" if good else f"a rehearsal needs about {_REHEARSAL_BYTES / 1e9:.0f} GB"
    return Finding("disk", f"{free / 1e9:.1f} GB free for the state folder", is_good=good, is_optional=True, hint=hint)


def _program(name: str, use: str) -> Finding:
    found = shutil.which(name)
    hint = "" if found else f"install it {use}"
    return Finding(name, found or "not found", is_good=found is not None, is_optional=True, hint=hint)


def _rehearsal() -> list[Finding]:
    from provisioning.rehearsal.machines import describe_ways

    return [
        Finding("rehearsal", f"{way.kind}: {way.reason}", is_good=way.available, is_optional=True, hint=way.hint)
        for way in describe_ways()
    ]
