"""Is it time to end compute? Pure: the situation in, the reason out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from templates.agent.settings import Limits

BUDGET_LEVELS = (50, 80, 95)
"""Per cent of the dollar cap at which the user is warned."""

# A machine that was started again waits at least so long for its client to raise a limit that is over (else it could
# never be used again), and no limit that was raised meanwhile makes that shorter.
SECOND_CHANCE_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Situation:
    """What the limits are held against. Times in seconds since the epoch.

    Attributes:
        now: The time.
        up_since: Start of the machine, this time.
        dollars: Spent on this machine so far.
        started_again: It was up before, and off in between.
        step_running: A step runs or waits to be started again.
        job_ended_at: When the job ended, or None.
        quiet_since: Last moment at which a step ran or the client was seen.
        client_seen_at: When the client was last seen (at the earliest `up_since`).
    """

    now: float
    up_since: float
    dollars: float
    started_again: bool
    step_running: bool
    job_ended_at: float | None
    quiet_since: float
    client_seen_at: float


def due(limits: Limits, situation: Situation) -> str | None:
    """The limit that is reached (`deadline`, `dollars`, `lost_client` or `idle`), or None."""
    has_a_chance = situation.started_again and situation.now < situation.up_since + SECOND_CHANCE_SECONDS
    if situation.now >= limits.deadline_at and not has_a_chance:
        return "deadline"
    if situation.dollars >= limits.dollars_cap and not has_a_chance:
        return "dollars"
    if situation.step_running:
        return None
    if situation.job_ended_at is not None and _lost(situation) >= limits.lost_client_seconds:
        return "lost_client"
    return "idle" if situation.now - situation.quiet_since >= limits.idle_seconds else None


def budget_level(dollars: float, cap: float) -> int:
    """The highest of `BUDGET_LEVELS` that is reached; 0 below all of them, and without a cap."""
    return max((level for level in BUDGET_LEVELS if cap > 0 and dollars >= cap * level / 100), default=0)


def may_discard(now: float, *, is_collected: bool, forgotten_since: float, discard_after_seconds: float) -> bool:
    """Whether a limit that ends compute may take the disk with it: only when no byte on it is the only copy.

    Args:
        now: The time, in seconds since the epoch.
        is_collected: The client said that this very model is at home, verified.
        forgotten_since: The job ended, and the client was last seen, not after this; in seconds since the epoch.
        discard_after_seconds: For so long an uncollected model is kept.
    """
    return is_collected or now - forgotten_since >= discard_after_seconds


def _lost(situation: Situation) -> float:
    return situation.now - max(situation.client_seen_at, situation.job_ended_at or 0.0)
