"""Is it time to end compute? Pure: the situation in, the reason out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from templates.agent.settings import Limits

# A machine started again after its limit waits so long for its client to raise it: else it could never be used again.
SECOND_CHANCE_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Situation:
    """What the limits are held against. Times in seconds since the epoch.

    Attributes:
        now: The time.
        up_since: Start of the machine, this time.
        dollars: Spent on this machine so far.
        dollars_before: Spent before it was started this time.
        step_running: A step runs or waits to be started again.
        job_ended_at: When the job ended, or None.
        quiet_since: Last moment at which a step ran or the client was seen.
        client_seen_at: When the client was last seen (at the earliest `up_since`).
    """

    now: float
    up_since: float
    dollars: float
    dollars_before: float
    step_running: bool
    job_ended_at: float | None
    quiet_since: float
    client_seen_at: float


def due(limits: Limits, situation: Situation) -> str | None:
    """The limit that is reached (`deadline`, `dollars`, `lost_client` or `idle`), or None."""
    if deadline_is_over(limits.deadline_at, situation.now, situation.up_since):
        return "deadline"
    fresh = situation.dollars_before < limits.dollars_cap
    if situation.dollars >= limits.dollars_cap and (fresh or _second_chance_is_over(situation.now, situation.up_since)):
        return "dollars"
    if situation.step_running:
        return None
    if situation.job_ended_at is not None and _lost(situation) >= limits.lost_client_seconds:
        return "lost_client"
    return "idle" if situation.now - situation.quiet_since >= limits.idle_seconds else None


def deadline_is_over(deadline_at: float, now: float, up_since: float) -> bool:
    """Whether the deadline is over; for a machine that was started after it, so is its second chance."""
    return now >= deadline_at and (deadline_at > up_since or _second_chance_is_over(now, up_since))


def _second_chance_is_over(now: float, up_since: float) -> bool:
    return now >= up_since + SECOND_CHANCE_SECONDS


def _lost(situation: Situation) -> float:
    return situation.now - max(situation.client_seen_at, situation.job_ended_at or 0.0)
