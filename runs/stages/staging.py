"""Fill the durable disk from a small machine, before the machine with GPUs costs anything.

The small machine is the run's own for a while: same group, same disk, same limits, same journal. It is rented where the
run's first choice of a machine is, makes the training environment, gets everything that the sync stage brings, and is
deleted; the disk stays. A client that is killed in between is followed by one that goes on from the journal.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from provisioning.errors import CapacityError, QuotaError
from runs.context import RunContext
from runs.facts import Prepared, Rented, Staged, Submitted
from runs.placing.decide import decide, plan_at
from runs.placing.market import ask_market, unasked_market
from runs.placing.tries import Tries
from runs.placing.words import place_words
from runs.plan.sizes import gpus_of
from runs.plan.staging import SIZE
from runs.stages.bootstrap import Bootstrap
from runs.stages.provision import Provision
from runs.stages.sync import Sync
from runs.types import StageName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.types import Placement
    from runs.placing.market import Market
    from runs.placing.pauses import Pace
    from runs.spec.load import LoadedRunFile

# As long as the largest inputs may take over a slow line; then the small machine ends itself.
_HOURS = 12.0
_SHORT: Mapping[str, int] = {
    "max_steps": 1, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 1, "model_max_length": 16,
}  # fmt: skip
_BEGUN, _FILLED, _OVER = "begun", "filled", "over"


class Staging:
    """Everything that training reads is on the disk, and the machine that brought it is gone."""

    name = StageName.STAGE
    title = "filling the disk from a small machine"

    def __init__(self, pace: Pace | None = None) -> None:
        self._pace = pace

    def is_done(self, context: RunContext) -> bool:
        """It was done, or the run has its own machine already."""
        staged = context.get(Staged)
        if staged is None:
            return any(context.get(kind) is not None for kind in (Rented, Prepared, Submitted))
        return staged.phase == _OVER

    def act(self, context: RunContext) -> str:
        """Rent, fill, delete; what an earlier client has done is not done again."""
        staged = context.get(Staged)
        if staged is None:
            market = ask_market(context, lambda message: context.reporter.waiting(self.name, message))
            staged = self._begin(context, market)
            if staged is None:
                return "not worth a machine of its own"
        words = ""
        if staged.phase == _BEGUN:
            try:
                words = self._fill(self._small(context, staged), for_gpu=_wants_gpu(context))
            except (CapacityError, QuotaError) as error:
                # It is there to save money, and must never be why there is no run.
                context.reporter.note(f"no small machine to fill the disk from: {error}; the run's own does it")
                words = "no small machine to be had"
            staged = self._put(context, replace(staged, phase=_FILLED))
        self._give_back(context, staged)
        self._put(context, replace(staged, phase=_OVER))
        return words or "the disk is filled, the small machine is gone"

    def _begin(self, context: RunContext, market: Market) -> Staged | None:
        """Choose the place: the run's own first choice, so that its disk is where its machine will be."""
        first = next((one for one in market.places if one.obstacle is None), market.places[0]).placement
        plan = plan_at(context.loaded, first, market.survey)
        if plan.staging is None or not plan.staging.is_chosen:
            return None
        return self._put(context, Staged(time.time(), _BEGUN, SIZE, first.region, first.zone, plan.workspace_gib))

    def _fill(self, small: RunContext, *, for_gpu: bool) -> str:
        provision = Provision(self._pace)
        provision.name = self.name
        bootstrap, sync = Bootstrap(for_gpu=for_gpu), Sync()
        bootstrap.name = sync.name = self.name
        try:
            if not provision.is_done(small):
                provision.act(small)
            if not bootstrap.is_done(small):
                bootstrap.act(small)
            return sync.act(small) if not sync.is_done(small) else "everything was there"
        finally:
            small.hang_up()

    def _give_back(self, context: RunContext, staged: Staged) -> None:
        """Delete the small machine, each part proven gone, and decide on the run's own in the disk's place."""
        small = self._small(context, staged)
        Tries(small, self.name).make_room(None)
        if context.get(Prepared) is None:
            # Nothing is on a disk that no machine has had: the run may go anywhere.
            return
        market = ask_market(context, lambda message: context.reporter.waiting(self.name, message))
        if not market.places:
            market = unasked_market(context)
        here = [
            one for one in market.places if (one.placement.region, one.placement.zone) == (staged.region, staged.zone)
        ]
        own = next((one for one in here if one.obstacle is None), (here or list(market.places))[0]).placement
        decided = decide(context, market, own)
        context.journal.put(context.run_id, replace(decided, workspace_gib=staged.workspace_gib))
        context.journal.event(context.run_id, f"the disk is filled, in {place_words(_at(own, staged))}")

    def _small(self, context: RunContext, staged: Staged) -> RunContext:
        """The same run with the small machine instead of its own."""
        small = RunContext(
            context.row, small_run_file(context.loaded, staged), context.journal, context.state, context.reporter
        )
        small.use_cloud(context.cloud)
        return small

    def _put(self, context: RunContext, staged: Staged) -> Staged:
        context.journal.put(context.run_id, staged)
        return staged


def small_run_file(loaded: LoadedRunFile, staged: Staged) -> LoadedRunFile:
    """The run file as the small machine sees it: no training to speak of, and the disk that the run's own wants."""
    spec = loaded.spec
    zones = tuple(zone for zone in spec.machine.zones if str(zone) == staged.zone)
    machine = spec.machine.model_copy(
        update={
            "size": staged.size, "gpus": None, "other_sizes": (), "regions": (staged.region,), "zones": zones,
            "spot": False, "max_price": None, "processes": "auto",
        }
    )  # fmt: skip
    # What is planned is the way there: one short step stands for each training that it does not do.
    training = tuple(stage.model_copy(update=_SHORT) for stage in spec.stages) or spec.train.model_copy(update=_SHORT)
    storage = spec.storage.model_copy(update={"workspace_gib": staged.workspace_gib})
    limits = spec.limits.model_copy(update={"hours": _HOURS, "dollars": "auto"})
    small = spec.model_copy(update={"machine": machine, "training": training, "storage": storage, "limits": limits})
    return replace(loaded, spec=small)


def _wants_gpu(context: RunContext) -> bool:
    """Whether the run's own machine has GPUs: its environment is made on the small one."""
    machine = context.spec.machine
    if machine.gpus is not None or machine.size == "auto":
        return context.spec.cloud != "rehearsal" or machine.gpus is not None
    return gpus_of(machine.size) > 0


def _at(own: Placement, staged: Staged) -> Placement:
    return replace(own, region=staged.region, zone=staged.zone)
