"""Rent the machine: decide once, write it down, then let the cloud make what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.types import PowerState
from runs.facts import Decided, Prepared, Rented
from runs.machine_config import without_extras
from runs.nodes import machines_of, on_each
from runs.placing.decide import caller_address, placement_of
from runs.placing.pauses import Pace
from runs.placing.search import Search
from runs.placing.words import place_words
from runs.types import StageName

if TYPE_CHECKING:
    from runs.context import RunContext


class Provision:
    """The cloud side of the run exists."""

    name = StageName.PROVISION
    title = "renting the machine"

    def __init__(self, pace: Pace | None = None) -> None:
        self._pace = pace

    def is_done(self, context: RunContext) -> bool:
        """The machine that the journal knows is running, as the cloud sees it now, and lets this computer in."""
        rented, decided = context.get(Rented), context.get(Decided)
        if rented is None or decided is None or caller_address(context, decided) != decided.caller_address:
            return False
        return all(_stands(one) for one in machines_of(context))

    def act(self, context: RunContext) -> str:
        """Rent a machine wherever one is to be had, or finish an interrupted renting."""
        Search(context, self.name, self._pace or Pace.of(context.spec.cloud)).run()
        decided = context.require(Decided)
        on_each(context, self._await_agent)
        for note in without_extras(context.journal.effects(context.run_id)):
            context.reporter.note(note)
        addresses = ", ".join(one.require(Rented).address for one in machines_of(context))
        nodes = context.spec.machine.nodes
        count = f"{nodes} x " if nodes > 1 else ""
        return f"{count}{decided.size} in {place_words(placement_of(decided))} at {addresses}"

    def _await_agent(self, context: RunContext) -> None:
        """A machine that was started again lets us in before its disk is mounted and its agent is up."""
        if context.get(Prepared) is None:
            return
        from remote.machine import wait_for_workspace, wait_until_booted

        def say(what: str) -> None:
            context.reporter.waiting(self.name, what)

        session = context.session(self.name, fresh=True)
        wait_for_workspace(session, context.spec.storage.mount, progress=say)
        wait_until_booted(session, context.layout(), progress=say)


def _stands(context: RunContext) -> bool:
    """Whether one machine runs where the journal has it."""
    rented = context.get(Rented)
    if rented is None:
        return False
    machine = context.cloud.find_machine(context.run_id, node=context.node)
    if machine is None or machine.power is not PowerState.RUNNING:
        return False
    return (machine.address, machine.ssh_port) == (rented.address, rented.ssh_port)
