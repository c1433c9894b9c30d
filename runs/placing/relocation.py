"""A run's disk that holds something, and its next machine: brought together, at the disk's place or elsewhere.

To another zone the disk goes first: that takes about a minute and next to nothing, and a zone without a machine is as
good a place for the disk as the one before. To another region the machine comes first: it is rented with an empty disk
to see that it can be had, and given back, because the copy takes long and is paid for. It is not kept meanwhile: an
idle machine with GPUs soon costs more than the copy.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provisioning.errors import MoveFailedError, ProvisioningError, ThrottledError, TransientError
from provisioning.types import ResourceKind
from runs.facts import Decided, Moved
from runs.journal.charges import spent_dollars
from runs.machine_config import tags
from runs.placing.decide import decide_again, placement_of, plan_at, renew
from runs.placing.reach import Reach, distance, place_of
from runs.placing.request import machine_request
from runs.placing.words import place_words
from runs.plan.move_cost import MoveCost, move_cost

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioning.types import Ledger, Placement, Progress, Workspace
    from runs.context import RunContext
    from runs.placing.market import Market


@dataclass(frozen=True, slots=True)
class Relocation:
    """What is done to the cloud for a run whose disk holds something. The cloud says where the disk is."""

    context: RunContext
    ledger: Ledger
    say: Progress
    make_room: Callable[[Placement], None]

    def home(self) -> Placement | None:
        """Where the disk is, or is going; as the run's machine was. What was decided, while the cloud does not say."""
        decided = self.context.get(Decided)
        if decided is None:
            return None
        wanted = placement_of(decided)
        try:
            workspace = self.context.cloud.find_workspace(self.context.run_id)
        except (TransientError, ThrottledError):
            return wanted
        if workspace is None:
            return wanted
        there = workspace.moving_to or workspace.place
        return replace(wanted, region=there.region, zone=there.zone)

    def bring_together(self, placement: Placement, market: Market) -> Decided:
        """Have the disk where the machine is wanted, and nothing there that could not serve it.

        Raises:
            CapacityError: There is no such machine, so the disk stays.
            MoveFailedError: The disk did not get there; it is where it was.
            ProvisioningError: What the cloud said; the next try goes on from there.
        """
        before = self.context.require(Decided)
        workspace = self.context.cloud.find_workspace(self.context.run_id)
        if workspace is not None and workspace.place != place_of(placement):
            return self._bring(workspace, placement, market, before)
        if before_is_past(before, placement) or self._has_leftovers(workspace):
            self.make_room(placement)
        if placement_of(before) == placement:
            return renew(self.context, before, has_machine=True)
        return decide_again(self.context, market, placement, before)

    def _bring(self, workspace: Workspace, placement: Placement, market: Market, before: Decided) -> Decided:
        there = place_of(placement)
        decided = decide_again(self.context, market, placement, before)
        self.make_room(placement)
        # What is rented from now on costs what it costs there; where the disk is, the cloud says.
        self.context.journal.put(self.context.run_id, decided)
        try:
            if workspace.moving_to != there:
                self._begin(workspace, placement, decided)
            wanted = tags(self.context.row, self.context.spec, decided)
            self.context.cloud.move_disk(self.context.run_id, placement, wanted, self.ledger, self.say)
        except ProvisioningError:
            self.context.journal.put(self.context.run_id, before)
            raise
        self.context.journal.event(self.context.run_id, f"the workspace disk is in {place_words(placement)} now")
        return decided

    def _begin(self, workspace: Workspace, placement: Placement, decided: Decided) -> None:
        """Make sure of what is needed, and say what it costs, before anything is paid for."""
        across = distance(workspace.place, place_of(placement)) is Reach.REGION
        cost = self._cost(workspace, placement)
        self._refuse_beyond_cap(cost, placement, decided)
        if across:
            self.say(f"{placement.size} in {place_words(placement)}, before the disk is copied there")
            request = machine_request(self.context, decided)
            self.context.cloud.probe(request, self.ledger, self.say)
        way = "copied to" if across else "moved to"
        self.context.reporter.note(
            f"the workspace disk is {way} {place_words(placement)}: {cost.words} ({cost.gb:.0f} GB at most)"
        )
        if across:
            moved = self.context.get(Moved) or Moved()
            counted = replace(moved, gb=moved.gb + cost.gb, dollars=moved.dollars + cost.transfer_dollars)
            self.context.journal.put(self.context.run_id, counted)

    def _refuse_beyond_cap(self, cost: MoveCost, placement: Placement, decided: Decided) -> None:
        moved = self.context.get(Moved) or Moved()
        spent = spent_dollars(self.context.journal, self.context.run_id, time.time()) + moved.dollars
        if cost.transfer_dollars and spent + cost.dollars > decided.dollars_cap:
            raise MoveFailedError(
                f"to copy the disk to {placement.region} takes about ${cost.dollars:.2f}, more than is left of the "
                f"run's ${decided.dollars_cap:.2f}: ${max(0.0, decided.dollars_cap - spent):.2f}",
                hint=f"raise the limit with: llamalift extend {self.context.run_id} --dollars N",
            )

    def _cost(self, workspace: Workspace, placement: Placement) -> MoveCost:
        need = plan_at(self.context.loaded, placement).need
        gb = min(need.total / 1e9, workspace.gib * 1.073741824)
        return move_cost(workspace.place, place_of(placement), gb, self.context.spec.storage.disk_type)

    def _has_leftovers(self, workspace: Workspace | None) -> bool:
        """Whether a killed client's move or probe may have left something beside the disk."""
        if workspace is not None and workspace.moving_to is not None:
            return True
        effects = self.context.journal.effects(self.context.run_id)
        return any(
            one.gone_at is None and (one.kind == ResourceKind.SNAPSHOT or one.name.endswith("-placeholder"))
            for one in effects
        )


def before_is_past(before: Decided, placement: Placement) -> bool:
    """Whether what was decided last was another machine: it may stand in the way."""
    return placement_of(before) != placement
