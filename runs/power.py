"""The machine's power and what it costs: switched off by us, or found switched off by somebody else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from provisioning.errors import ProvisioningError
from provisioning.types import PowerState
from remote.errors import MachineOffError
from runs.evictions import is_eviction, limit_that_ended, note_eviction
from runs.facts import Leaving, Rented
from runs.journal.charges import Component, charges_of, end_machine_charge
from runs.masking import try_to_take_secrets_back
from runs.placing.pauses import Pace

if TYPE_CHECKING:
    from provisioning.types import MachinePower, Progress
    from runs.context import RunContext
    from runs.journal import Journal


_LOOK_SECONDS = 20.0
_OFF = frozenset({PowerState.DEALLOCATED, PowerState.DEALLOCATING, PowerState.STOPPED, PowerState.STOPPING})


def deallocate(context: RunContext, why: str, progress: Progress) -> None:
    """Give the machine's hardware back and end its charge; intent before, outcome after, repeatable.

    Raises:
        ProvisioningError: The cloud refuses, or does not answer.
    """
    journal, run_id = context.journal, context.run_id
    # If a limit has done so already, its hours ended then and not now.
    seen = settle_power(context)
    journal.event(run_id, f"deallocating the machine: {why}")
    if seen is not None and seen.power is PowerState.RUNNING:
        try_to_take_secrets_back(context)
    context.hang_up()
    context.cloud.deallocate(run_id, progress, nodes=context.spec.machine.nodes)
    end_machine_charge(journal, run_id, time.time())
    if seen is None or seen.power is not PowerState.DEALLOCATED:
        journal.event(run_id, "the machine is deallocated")


def settle_power(context: RunContext) -> MachinePower | None:
    """Ask the cloud for the power state of a machine that the journal counts as paid for, and correct the journal.

    A limit of the agent's, an eviction and Azure's auto-shutdown all end the machine's hours without this computer.
    None when there is nothing to ask about, or no machine.

    Raises:
        ProvisioningError: The cloud does not answer.
    """
    journal, run_id = context.journal, context.run_id
    if context.get(Rented) is None or context.get(Leaving) is not None or not is_charged(journal, run_id):
        return None
    seen = context.cloud.power(run_id)
    if seen is None or seen.power is PowerState.DEALLOCATED:
        # The cloud's clock is not ours: never in the future.
        at = min(time.time(), seen.since.timestamp()) if seen is not None and seen.since else time.time()
        # Before its hours end: a client that is killed in between finds them open, and looks again.
        if is_eviction(context, at):
            note_eviction(context, at)
        end_machine_charge(journal, run_id, at)
        what = "found deallocated" if seen is not None else "the machine is gone from the cloud"
        journal.event(run_id, f"{what} since {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(at))}")
    return seen


def try_settle_power(context: RunContext) -> None:
    """The same where the question is not what the user came for: without an answer the journal stays as it is."""
    try:
        settle_power(context)
    except ProvisioningError as error:
        context.journal.event(context.run_id, f"the cloud did not say whether the machine runs: {error}")


def refuse_if_off(context: RunContext) -> None:
    """After a connection was lost: a machine that was taken away is not waited for.

    Raises:
        MachineOffError: The cloud says that it is off, or on its way there. Without an answer nothing is refused.
    """
    try:
        # The hours of a run end with those of its first machine.
        seen = context.cloud.power(context.run_id, node=context.node) if context.node else settle_power(context)
    except ProvisioningError as error:
        context.journal.event(context.run_id, f"the cloud did not say whether the machine runs: {error}")
        return
    if seen is not None and seen.power in _OFF and context.node:
        raise MachineOffError(
            f"machine {context.node + 1} of the run went off while it was at work: {seen.power}",
            hint=f"its disk is kept; start it again and go on with `llamalift resume {context.run_id}`",
        )
    if seen is not None and seen.power in _OFF:
        limit = limit_that_ended(context, time.time())
        why = f"its limit {limit} was reached" if limit else "a limit, an eviction, the auto-shutdown"
        raise MachineOffError(
            f"the machine went off while it was at work ({why}): {seen.power}",
            hint=f"its disk is kept; start it again and go on with `llamalift resume {context.run_id}`"
            + (f", after `llamalift extend {context.run_id} --hours 6 --dollars 20`" if limit else ""),
        )


class Knocks:
    """Looks at the machine's power now and then while it is knocked at: one that was taken away never answers."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._every = max(1.0, _LOOK_SECONDS * Pace.of(context.row.cloud).scale)
        self._next_at = time.monotonic() + self._every

    def knock(self) -> None:
        """One more knock without an answer.

        Raises:
            MachineOffError: The cloud says that the machine is off.
        """
        if time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + self._every
            refuse_if_off(self._context)


def is_charged(journal: Journal, run_id: str) -> bool:
    """Whether the journal counts the machine's hours at this moment."""
    charges = charges_of(journal, run_id)
    return any(charge.component is Component.MACHINE and charge.ended_at is None for charge in charges)
