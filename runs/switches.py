"""Which kill switches hold a run, given its limits and what the account allowed. Pure functions.

`runs.plan.switches` says beforehand what will be in force; this says what is, and what must be accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioning.types import ResourceKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runs.facts import Decided
    from runs.spec.limits import Limits
    from runs.types import EffectRow

# Azure's auto-shutdown is daily: it can stand behind a deadline that is at most so far away.
BACKSTOP_REACH_HOURS = 24.0
_KINDS = frozenset({ResourceKind.ROLE_ASSIGNMENT.value, ResourceKind.SHUTDOWN_SCHEDULE.value})


@dataclass(frozen=True, slots=True)
class Switch:
    """One thing that ends the run's bill without its user.

    Attributes:
        name: What it watches.
        in_force: Whether it ends the bill, and not only the work.
        detail: When, and what then, in a few words.
    """

    name: str
    in_force: bool
    detail: str


def switches_in_force(
    limits: Limits, decided: Decided, effects: Iterable[EffectRow], *, now: float
) -> Sequence[Switch]:
    """Every switch of a rented run, in the order in which they are likely to fire.

    Args:
        limits: Section `limits` of the run file.
        decided: What was decided, raised limits included.
        effects: What the journal knows of the run's resources.
        now: The time, in seconds since the epoch.
    """
    made = {effect.kind for effect in effects if effect.created_at and not effect.gone_at} & _KINDS
    may_end_itself = ResourceKind.ROLE_ASSIGNMENT.value in made
    has_backstop = ResourceKind.SHUTDOWN_SCHEDULE.value in made
    then = "the machine deallocates itself" if may_end_itself else "it powers off, and Azure goes on billing it"
    hours = max(0.0, decided.deadline_at - now) / 3600
    return [
        Switch("idle", may_end_itself, f"{limits.idle_minutes} m without work or client: {then}"),
        Switch("lost client", may_end_itself, f"{limits.lost_client_hours:g} h after the job's end: {then}"),
        Switch("dollars", may_end_itself, f"${decided.dollars_cap:.2f}: {then}"),
        Switch("deadline", may_end_itself or has_backstop, f"in {hours:.1f} h: {then}"),
        Switch("auto-shutdown", has_backstop, _backstop(hours, has_backstop=has_backstop)),
        Switch("discard", may_end_itself, _discard(limits, may_end_itself=may_end_itself)),
    ]


def long_run_refusal(hours: float, *, may_assign_roles: bool | None, is_accepted: bool) -> str | None:
    """Why a run must not begin without its user's consent, or None.

    Beyond a day no schedule of Azure's stands behind the machine; one that may not deallocate itself either would go on
    being billed after its deadline, however long nobody looks.

    Args:
        hours: Until the deadline.
        may_assign_roles: Whether the account may give the machine that right; None when it cannot be found out.
        is_accepted: `limits.accept_power_off` of the run file.
    """
    if hours <= BACKSTOP_REACH_HOURS or may_assign_roles is not False or is_accepted:
        return None
    return (
        f"{hours:g} h is more than Azure's daily auto-shutdown can stand behind, and this account may not let the "
        "machine end its own bill: shorten limits.hours to 24, or set limits.accept_power_off"
    )


def _backstop(hours: float, *, has_backstop: bool) -> str:
    if has_backstop:
        return "Azure deallocates the machine after the deadline"
    if hours > BACKSTOP_REACH_HOURS:
        return "set by any client that looks within a day of the deadline"
    return "Azure was not allowed to, or could not, be asked"


def _discard(limits: Limits, *, may_end_itself: bool) -> str:
    if not may_end_itself:
        return "never by itself: the machine has no right to delete anything"
    days = f"{limits.discard_after_days:g}"
    return (
        f"a limit deletes everything once the model is home, or {days} d after the last sign of you; "
        "a machine that is off cannot: its disk stays until `llamalift down`"
    )
