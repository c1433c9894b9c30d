"""How often a run was lost, kept beside its checkpoints: what one agent counts ends with its job, or with its machine.

An attempt that begins to train leaves an open entry and closes it when it ends in order (at its end, or because it was
asked to leave and has saved). So an entry that is found open was lost: crashed, killed, or gone with its machine. One
that is found closed was lost only if the same job goes on with a further attempt: a user's stop ends the job, an
eviction with notice does not.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from templates.training.checkpoints import write_durably

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "losses.json"


def begin(folder: Path, attempt: int) -> int:
    """An attempt begins to train; call it on rank 0 alone.

    Args:
        folder: Of the checkpoints.
        attempt: Which start of its job's step it is, from 1.

    Returns:
        How often the run was lost so far. Without a readable record: what this job's attempts tell.
    """
    found = _read(folder)
    losses = attempt - 1 if found is None else found[0] + (found[1] or attempt > 1)
    _write(folder, losses, is_open=True)
    return losses


def end_in_order(folder: Path) -> None:
    """The attempt that began last ends in order, its state saved; call it on rank 0 alone."""
    found = _read(folder)
    if found is not None:
        _write(folder, found[0], is_open=False)


def _read(folder: Path) -> tuple[int, bool] | None:
    try:
        found = json.loads((folder / _NAME).read_text())
        return int(found["losses"]), bool(found["is_open"])
    except (OSError, ValueError, KeyError, TypeError):
        # Advice only: see `begin`.
        return None


def _write(folder: Path, losses: int, *, is_open: bool) -> None:
    # A full disk must not end a training for the sake of advice.
    with contextlib.suppress(OSError):
        write_durably(folder / _NAME, json.dumps({"losses": losses, "is_open": is_open}))
