"""Going on by itself after the cloud has taken the machine away under a run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from provisioning.errors import ProvisioningError
from provisioning.types import PowerState
from runs.evictions import evictions_of, limit_that_ended
from runs.facts import Decided
from runs.nodes import machines_of
from runs.placing.pauses import Pace
from runs.power import settle_power

if TYPE_CHECKING:
    from provisioning.types import MachinePower
    from runs.context import RunContext

_LEAVING = frozenset({PowerState.DEALLOCATING, PowerState.STOPPING})
# Deallocation takes Azure minutes; nothing else can be done meanwhile.
_LEAVING_SECONDS = 1800.0
_LOOK_SECONDS = 20.0
# A machine that goes off again and again does so for a reason.
_MOST_MENDED = 5


def goes_on(context: RunContext) -> bool:
    """Whether a run that has lost its machine goes on by itself: it was evicted, and the run's limits leave room.

    Waits until the machine is off for certain; afterwards the journal has the eviction, and has ended the machine's
    hours when the cloud says that they ended.
    """
    if _another_goes_on(context):
        return True
    pace = Pace.of(context.spec.cloud)
    deadline = time.monotonic() + _LEAVING_SECONDS
    try:
        while (seen := _look(context)) is not None and seen.power in _LEAVING and time.monotonic() < deadline:
            pace.pause(_LOOK_SECONDS)
    except ProvisioningError as error:
        context.journal.event(context.run_id, f"the cloud did not say what became of the machine: {error}")
        return False
    if seen is not None and seen.power is not PowerState.DEALLOCATED:
        return False
    context.hang_up()
    found, now = evictions_of(context.journal, context.run_id), time.time()
    decided = context.require(Decided)
    if not found or found[-1].back_at is not None or limit_that_ended(context, now) or now >= decided.deadline_at:
        return False
    context.reporter.note(f"the cloud has taken the machine away (eviction {len(found)}); going on with its disk")
    return True


def _another_goes_on(context: RunContext) -> bool:
    """Whether a further machine has gone off, is to be started again, and the first one waits for it."""
    try:
        powers = {one.node: context.cloud.power(context.run_id, node=one.node) for one in machines_of(context)[1:]}
        off = [node for node, seen in powers.items() if seen is None or seen.power is not PowerState.RUNNING]
        first = context.cloud.power(context.run_id) if off else None
    except ProvisioningError as error:
        context.journal.event(context.run_id, f"the cloud did not say what became of the machines: {error}")
        return False
    is_over = limit_that_ended(context, time.time()) or time.time() >= context.require(Decided).deadline_at
    if first is None or first.power is not PowerState.RUNNING or is_over or context.mended >= _MOST_MENDED:
        return False
    context.mended += 1
    names = ", ".join(str(node + 1) for node in off)
    context.journal.event(context.run_id, f"machines found off, started again: {names}")
    context.reporter.note(f"machine {names} went off; starting it again, training goes on from the last checkpoint")
    context.hang_up()
    return True


def _look(context: RunContext) -> MachinePower | None:
    """The machine's power, the journal put right; also where another command has done that already."""
    return settle_power(context) or context.cloud.power(context.run_id)
