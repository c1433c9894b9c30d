"""What every run has cost: the journal, put right by the cloud where something may still run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from provisioning.errors import ProvisioningError
from runs.cost import RunCost, cost_of_run
from runs.journal import Journal
from runs.power import is_charged, settle_power
from runs.run import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runs.state_folder import StateFolder


def costs(state: StateFolder, run_id: str | None, *, offline: bool) -> list[RunCost]:
    """The cost of one run, or of all, newest first. Whoever only looks leaves no file behind.

    Args:
        state: Where the journal is.
        run_id: A run id or its beginning; None for every run.
        offline: Take the journal's word for what still runs.

    Raises:
        RunNotFoundError: None, or more than one, matches.
    """
    if run_id is None:
        if not state.journal.exists():
            return []
        journal = Journal(state.journal)
        return [_cost(Run(row, state, journal), offline=offline) for row in journal.runs()]
    return [_cost(Run.open(run_id, state=state), offline=offline)]


def _cost(run: Run, *, offline: bool) -> RunCost:
    return cost_of_run(run.journal, run.run_id, is_confirmed=_is_settled(run, offline=offline))


def _is_settled(run: Run, *, offline: bool) -> bool:
    """Whether the journal's word on the machine's hours is the cloud's too; asks only where hours go on."""
    if not is_charged(run.journal, run.run_id):
        return True
    if offline:
        return False
    with run.context() as context:
        try:
            settle_power(context)
        except ProvisioningError:
            return False
    return True


def cost_json(found: Sequence[RunCost]) -> dict[str, Any]:
    """Plain values, with the sums."""
    runs = [{**asdict(cost), "dollars": cost.dollars, "dollars_per_hour": cost.dollars_per_hour} for cost in found]
    real = [cost for cost in found if cost.cloud != "rehearsal"]
    return {
        "schema": 1,
        "runs": runs,
        # What a rehearsal would have cost is no money spent.
        "dollars": sum(cost.dollars for cost in real),
        "dollars_per_hour": sum(cost.dollars_per_hour for cost in real),
    }
