"""Azure's auto-shutdown for runs longer than a day: set by whichever client looks when the deadline is near enough."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from provisioning.errors import ProvisioningError
from provisioning.types import ResourceKind
from runs.extend import renewal_of
from runs.facts import Decided, Leaving, Rented
from runs.ledger import RunLedger
from runs.machine_config import backstop

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runs.context import RunContext
    from runs.types import EffectRow


def is_due(decided: Decided, effects: Iterable[EffectRow], now: float) -> bool:
    """Whether the schedule can be set now and never was: one that was refused once is not asked for again."""
    known = [effect for effect in effects if effect.kind == ResourceKind.SHUTDOWN_SCHEDULE.value]
    is_asked_for = any(effect.gone_at is None for effect in known)
    return not is_asked_for and backstop(decided.deadline_at, now) is not None


def arm_if_due(context: RunContext) -> bool:
    """Set the schedule when it is due; True when it was asked for. Trouble with it is told and stops nothing."""
    journal, run_id = context.journal, context.run_id
    decided = context.get(Decided)
    if decided is None or context.get(Rented) is None or context.get(Leaving) is not None:
        return False
    if not is_due(decided, journal.effects(run_id), time.time()):
        return False
    journal.event(run_id, "setting Azure's auto-shutdown: the deadline is less than a day away")

    def say(message: str) -> None:
        journal.event(run_id, message)

    try:
        context.cloud.renew(run_id, renewal_of(context, decided), RunLedger(journal, run_id), say)
    except ProvisioningError as error:
        journal.event(run_id, f"the auto-shutdown could not be set: {error}")
    return True
