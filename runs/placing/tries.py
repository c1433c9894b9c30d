"""One try at one place: make room, decide, ask the cloud; each step can be repeated after a kill."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from provisioning.errors import CapacityError
from provisioning.types import ResourceKind
from runs.facts import Decided, Prepared, Rented, Searching, Submitted, Trust, Unread
from runs.journal.charges import end_machine_charge
from runs.ledger import RunLedger
from runs.nodes import machines_of
from runs.placing.decide import decide, placement_of, renew
from runs.placing.reach import Reach
from runs.placing.relocation import Relocation
from runs.placing.request import machine_request

if TYPE_CHECKING:
    from provisioning.types import Machine, Placement
    from runs.context import RunContext
    from runs.placing.market import Market
    from runs.types import StageName


class Tries:
    """What a search does to the cloud."""

    def __init__(self, context: RunContext, stage: StageName) -> None:
        self._context = context
        self._stage = stage
        self._ledger = RunLedger(context.journal, context.run_id)
        self._relocation = Relocation(context, self._ledger, self._say, self.make_room)

    @property
    def has_data(self) -> bool:
        """Whether the workspace disk may hold something: then it is never deleted, and has to follow the machine."""
        return any(self._context.get(kind) is not None for kind in (Prepared, Submitted, Unread))

    @property
    def furthest(self) -> Reach:
        """How far that disk may go: the wish of this search counts more than the run file."""
        if self._context.spec.machine.nodes > 1:
            # Only one disk could be brought along.
            return Reach.of("never")
        wish = self._context.get(Searching)
        return Reach.of((wish.move if wish else "") or self._context.spec.machine.move)

    def home(self) -> Placement | None:
        """Where the disk is that holds something."""
        return self._relocation.home()

    def rent(self, placement: Placement, market: Market) -> None:
        """Have the machine run at a place and record it.

        Args:
            placement: Where and as what.
            market: The prices; one of the places is that one.

        Raises:
            ProvisioningError: It cannot be had there now; what was made stays until `make_room`.
        """
        context, has_data = self._context, self.has_data
        decided = self._decided(placement, market)
        context.journal.put(context.run_id, decided)
        request, tried_at = machine_request(context, decided, keeps_disk=has_data), time.time()
        try:
            machine = context.cloud.provision(request, self._ledger, self._say)
        except CapacityError:
            if has_data and request.nodes > 1:
                # All or none: those that run would wait for the one that does not.
                context.cloud.deallocate(context.run_id, self._say, nodes=request.nodes)
            if has_data:
                # What was to be started again and got no hardware has cost nothing since.
                end_machine_charge(context.journal, context.run_id, tried_at)
            raise
        # The first one last: it says that all are there.
        for one, its_machine in reversed(list(zip(machines_of(context), (machine, *machine.others), strict=True))):
            one.journal.put(context.run_id, _rented(its_machine))

    def make_room(self, keep: Placement | None) -> None:
        """Delete what could not serve a machine at `keep`; None keeps the resource group only.

        A disk that holds something stays wherever it is.
        """
        context, has_data = self._context, self.has_data
        if not context.journal.effects(context.run_id):
            return
        context.hang_up()
        # Before the machine: without this fact the next client looks at what is there.
        context.journal.forget(context.run_id, Rented)
        nodes = context.spec.machine.nodes
        context.cloud.vacate(context.run_id, keep, self._ledger, self._say, keep_disk=has_data, nodes=nodes)
        if not self._has_machine():
            # The next machine makes its own key.
            context.journal.forget(context.run_id, Trust)
        for one in context.others():
            one.journal.forget(context.run_id, Rented)
            if context.cloud.find_machine(context.run_id, node=one.node) is None:
                one.journal.forget(context.run_id, Trust)

    def _decided(self, placement: Placement, market: Market) -> Decided:
        decided = self._context.get(Decided)
        if self.has_data and decided is not None:
            return self._relocation.bring_together(placement, market)
        if decided is None or placement_of(decided) != placement:
            return self._move(market, placement, decided)
        return self._stay(decided)

    def _move(self, market: Market, placement: Placement, before: Decided | None) -> Decided:
        if before is not None:
            self.make_room(placement)
        self._say("the cloud account")
        return decide(self._context, market, placement)

    def _stay(self, decided: Decided) -> Decided:
        context = self._context
        if context.get(Rented) is None:
            # What an earlier try left: a machine that came up after all stays, a broken one goes.
            self.make_room(placement_of(decided))
        return renew(context, decided, has_machine=self._has_machine())

    def _has_machine(self) -> bool:
        context = self._context
        machines = [one for one in context.journal.effects(context.run_id) if one.kind == ResourceKind.VIRTUAL_MACHINE]
        if all(one.gone_at is not None for one in machines):
            return False
        return context.cloud.find_machine(context.run_id) is not None

    def _say(self, message: str) -> None:
        self._context.reporter.waiting(self._stage, message)


def _rented(machine: Machine) -> Rented:
    return Rented(
        vm_id=machine.vm_id, address=machine.address, ssh_port=machine.ssh_port, username=machine.username,
        region=machine.region, zone=machine.zone, private_address=machine.private_address,
    )  # fmt: skip
