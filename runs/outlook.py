"""What may be lost, how long it takes still, and what it will have cost: from what is known now. Pure functions."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from runs.types import RunState

if TYPE_CHECKING:
    from remote.agent import AgentStatus
    from runs.cost import RunCost
    from runs.training_log import Training
    from runs.types import RunRow

_STEPS_LOOKED_AT = 32


@dataclass(frozen=True, slots=True)
class Outlook:
    """None for what cannot be told.

    Attributes:
        at_risk_steps: Steps since the newest complete checkpoint: what is trained again if the machine goes now.
        at_risk_seconds: How long they took.
        seconds_left: Until training ends.
        dollars: What the run will have cost when training ends: so far, and its price an hour until then. Before there
            is a time left, what the plan said, if that is more; what it has cost once nothing costs any more.
    """

    at_risk_steps: int | None = None
    at_risk_seconds: float | None = None
    seconds_left: float | None = None
    dollars: float | None = None


def outlook(row: RunRow, agent: AgentStatus | None, training: Training | None, cost: RunCost | None) -> Outlook:
    """Look ahead.

    Args:
        row: The run.
        agent: What its machine said last, or None.
        training: What its trainer told, or None.
        cost: What it has cost, or None before anything could.
    """
    left = agent.progress.eta_seconds if agent and agent.progress and agent.phase == "running" else None
    steps = _at_risk(agent) if row.state is RunState.ACTIVE else None
    each = step_seconds(training) if training else None
    return Outlook(
        at_risk_steps=steps,
        at_risk_seconds=None if steps is None or each is None else steps * each,
        seconds_left=left,
        dollars=_forecast(row, cost, left),
    )


def step_seconds(training: Training) -> float | None:
    """A usual step of the last ones, saves left out as far as they were told; None before there are two."""
    steps, at, saved = (training.columns[name][-_STEPS_LOOKED_AT:] for name in ("step", "at", "save_seconds"))
    times = [
        (t1 - t0 - (save if save > 0 else 0.0)) / (n1 - n0)
        for (n0, n1), (t0, t1), save in zip(pairwise(steps), pairwise(at), saved[1:], strict=True)
        if n1 > n0
    ]
    return max(0.0, statistics.median(times)) if times else None


def _at_risk(agent: AgentStatus | None) -> int | None:
    if agent is None or agent.progress is None or agent.progress.step is None or agent.phase == "done":
        return None
    newest = agent.checkpoints.newest_complete
    return max(0, agent.progress.step - (newest.step if newest else 0))


def _forecast(row: RunRow, cost: RunCost | None, left: float | None) -> float | None:
    if cost is None:
        return None
    if row.state is RunState.ENDED:
        return cost.dollars
    if left is None:
        return None if cost.estimate_dollars is None else max(cost.dollars, cost.estimate_dollars)
    return cost.dollars + cost.dollars_per_hour * left / 3600
