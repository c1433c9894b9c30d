"""How often machines are lost where this run is now: a run that moved goes on with the job of the former place."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from templates.training.save_schedule import ShrinkSchedule


def as_here(schedule: ShrinkSchedule, run_folder: Path) -> ShrinkSchedule:
    """The schedule with the eviction rate that the client told last.

    Args:
        schedule: As the job has it.
        run_folder: Where the client tells it, in `job/evictions.json`: `{"seconds_between_losses": seconds or null}`.
            What is not there, or not understood, changes nothing.
    """
    try:
        told = json.loads((run_folder / "job" / "evictions.json").read_text())
        return replace(schedule, seconds_between_losses=told["seconds_between_losses"])
    except (OSError, ValueError, KeyError, TypeError):
        return schedule
