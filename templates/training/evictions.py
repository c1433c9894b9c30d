"""How often machines are lost where this run is now: a run that moved goes on with the job of the former place."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from templates.training.save_schedule import ShrinkSchedule


def as_here(schedule: ShrinkSchedule, told: Path) -> ShrinkSchedule:
    """The schedule with the eviction rate that the client told last.

    Args:
        schedule: As the job has it.
        told: The client's file: `{"seconds_between_losses": seconds or null}`. What is not there, or not understood,
            changes nothing.
    """
    try:
        return replace(schedule, seconds_between_losses=json.loads(told.read_text())["seconds_between_losses"])
    except (OSError, ValueError, KeyError, TypeError):
        return schedule
