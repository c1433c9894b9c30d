"""Every run with what a list of runs shows, from the journal alone: a few queries, however many runs there are."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from runs.cost import egress
from runs.facts import Collected, Decided, Estimate, Leaving, Moved, Pausing
from runs.journal import Journal
from runs.journal.charges import ChargeRow, Component
from runs.overview import overview

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from _typeshed import DataclassInstance

    from runs.overview import OverviewLine
    from runs.state_folder import StateFolder

_KINDS: tuple[type[DataclassInstance], ...] = (Collected, Decided, Estimate, Leaving, Moved, Pausing)


class Standing(StrEnum):
    """Where a run stands, in one word that the user reads."""

    NEW = "new"
    RUNNING = "running"
    PAUSED = "paused"
    FAILED = "failed"
    # Its last stage is done, and its machine is still there: `up --keep`, or between two stages.
    KEPT = "kept"
    # Nothing is left in the cloud: the model is at home, or there is none.
    FINISHED = "finished"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Glance:
    """One run at a glance.

    Attributes:
        line: The run in one line.
        standing: Where it stands.
        dollars: What it has cost so far; on the rehearsal cloud what Azure would have taken.
        dollars_per_hour: What goes on costing.
        estimate_dollars: What the plan said, or None.
        cap_dollars: At which its machine ends itself, or None before it was decided.
    """

    line: OverviewLine
    standing: Standing
    dollars: float
    dollars_per_hour: float
    estimate_dollars: float | None
    cap_dollars: float | None


def glance(state: StateFolder, *, now: float | None = None) -> list[Glance]:
    """Every run, newest first. Whoever only looks leaves no file behind."""
    lines = overview(state)
    if not lines:
        return []
    journal = Journal(state.journal)
    charges, facts = _charges(journal), _facts(journal)
    at = time.time() if now is None else now
    return [_glance(line, charges[line.run_id], facts[line.run_id], at) for line in lines]


def _glance(line: OverviewLine, charges: Sequence[ChargeRow], facts: Mapping[str, Any], now: float) -> Glance:
    collected, moved = facts.get("Collected"), facts.get("Moved")
    flat = (moved.dollars if moved else 0.0) + (egress(collected.size_bytes).dollars if collected else 0.0)
    decided, estimate = facts.get("Decided"), facts.get("Estimate")
    return Glance(
        line=line,
        standing=standing(line.state, is_at_home=collected is not None, pausing=facts.get("Pausing")),
        dollars=sum(charge.dollars(now) for charge in charges) + flat,
        dollars_per_hour=sum(charge.dollars_per_hour for charge in charges if charge.ended_at is None),
        estimate_dollars=estimate.dollars if estimate else None,
        cap_dollars=decided.dollars_cap if decided else None,
    )


def standing(state: str, *, is_at_home: bool, pausing: Pausing | None) -> Standing:
    """Where a run stands.

    Args:
        state: As in `OverviewLine`.
        is_at_home: Its model is at home.
        pausing: Whether and when it was paused.
    """
    if state == "ended":
        return Standing.FINISHED if is_at_home else Standing.DISCARDED
    if pausing is not None and pausing.deadline_at is None:
        return Standing.PAUSED
    return {"": Standing.NEW, "failed": Standing.FAILED, "done": Standing.KEPT}.get(state, Standing.RUNNING)


def _charges(journal: Journal) -> Mapping[str, list[ChargeRow]]:
    found: dict[str, list[ChargeRow]] = defaultdict(list)
    for run_id, component, *rest in journal.read(
        "SELECT run_id, component, detail, resource_id, dollars_per_hour, basis, began_at, ended_at FROM charges"
    ):
        found[run_id].append(ChargeRow(Component(component), *rest))
    return found


def _facts(journal: Journal) -> Mapping[str, dict[str, Any]]:
    kinds = {kind.__name__: kind for kind in _KINDS}
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for run_id, kind, value in journal.read(
        "SELECT run_id, kind, value FROM facts WHERE kind IN (SELECT value FROM json_each(?))", json.dumps([*kinds])
    ):
        found[run_id][kind] = kinds[kind](**json.loads(value))
    return found
