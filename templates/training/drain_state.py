"""What the drain says of itself, in small files in the run folder: how far it is, and what it could not do.

The agent reads drain.json to know whether a drain can end within the notice of an eviction. It stays when the drain is
done, all bytes there: its speed tells how long the next one takes.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PROGRESS = "drain.json"
TROUBLE = "drain-trouble.json"
# A living drain writes several times a second, if its disk lets it.
_STALE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Progress:
    """A checkpoint on its way to the durable disk.

    Attributes:
        step: Which.
        bytes: All of its bytes.
        done_bytes: Those that are on the durable disk already.
        bytes_per_second: How fast it went since the drain began, 0 at first.
        updated_at: When this was true, in seconds since the epoch.
    """

    step: int
    bytes: int
    done_bytes: int
    bytes_per_second: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class Trouble:
    """A checkpoint that could not be made durable for now.

    Attributes:
        step: Which.
        text: Why, in words, with the numbers.
    """

    step: int
    text: str


def read_progress(run_folder: Path) -> Progress | None:
    """The drain under way; None when nothing is draining, and when a drain died and left its file."""
    try:
        found = Progress(**json.loads((run_folder / PROGRESS).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    moves = found.done_bytes < found.bytes and time.time() - found.updated_at < _STALE_SECONDS
    return found if moves else None


def write_progress(run_folder: Path, progress: Progress | None) -> None:
    """Say how far the drain is; None: nothing is draining."""
    _write(run_folder / PROGRESS, progress)


def read_trouble(run_folder: Path) -> Trouble | None:
    """What could not be drained at the last try, or None."""
    try:
        return Trouble(**json.loads((run_folder / TROUBLE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_trouble(run_folder: Path, trouble: Trouble | None) -> None:
    """Remember what could not be drained; None: nothing is in the way."""
    _write(run_folder / TROUBLE, trouble)


def _write(path: Path, value: Progress | Trouble | None) -> None:
    if value is None:
        path.unlink(missing_ok=True)
        return
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    # Told anew all the time, and worth nothing after a restart: no fsync.
    part.write_text(json.dumps(asdict(value)))
    part.replace(path)
