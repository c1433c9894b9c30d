"""Which kill switches a run will have: what holds by itself, and what the caller's rights allow. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from runs.machine_config import backstop

if TYPE_CHECKING:
    from datetime import datetime

    from provisioning.survey_types import Survey
    from runs.plan.plan import LimitsInForce


class Ending(StrEnum):
    """What the machine can do at a limit; the value is what the user reads."""

    DEALLOCATES = "the machine deallocates itself"
    POWERS_OFF = "the machine only powers itself off, and Azure goes on billing it"
    UNKNOWN = "the machine deallocates itself where you may assign roles, else it only powers itself off"


@dataclass(frozen=True, slots=True)
class Switches:
    """What ends the compute when nobody looks.

    Attributes:
        ending: What happens at a limit.
        backstop_at: When Azure's own schedule deallocates the machine, were it rented now; None without one.
        why_no_backstop: Why there is none; empty with one.
    """

    ending: Ending
    backstop_at: datetime | None
    why_no_backstop: str


def switches_of(limits: LimitsInForce, survey: Survey | None, now: float) -> Switches:
    """Work out what will be in force.

    Args:
        limits: When the machine ends itself.
        survey: What the cloud said of the caller's rights; None when it was not asked.
        now: The time, in seconds since the epoch.
    """
    at = backstop(now + limits.hours * 3600, now)
    why = "" if at else "Azure's daily auto-shutdown reaches no further than 24 hours"
    return Switches(_ending(survey), at, why)


def _ending(survey: Survey | None) -> Ending:
    may = None if survey is None else survey.rights.may_assign_roles
    if may is None:
        return Ending.UNKNOWN
    return Ending.DEALLOCATES if may else Ending.POWERS_OFF
