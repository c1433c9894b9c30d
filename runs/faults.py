"""What went wrong in a run, from every place that knows of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.journal.attempts import Outcome
from runs.types import EventKind, RunState, StageState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.history import RunHistory
    from runs.training_log import Training

_TROUBLE = frozenset({"problem", "warning", "set_aside"})


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that went wrong.

    Attributes:
        at: In seconds since the epoch.
        kind: In a word or two.
        text: What, with its numbers.
        ended_it: The run did not go on from it.
    """

    at: float
    kind: str
    text: str
    ended_it: bool = False


def faults_of(history: RunHistory) -> tuple[Fault, ...]:
    """All of them, oldest first."""
    return tuple(sorted(_faults(history), key=lambda fault: fault.at))


def _faults(history: RunHistory) -> Iterator[Fault]:
    for attempt in history.attempts:
        if attempt.outcome not in {Outcome.OPEN, Outcome.RENTED}:
            place = attempt.placement
            yield Fault(attempt.at, "no machine", f"{place.size} in {place.region}: {attempt.reason}")
    for one in history.evictions:
        yield Fault(one.off_at, "evicted", one.words)
    for event in history.events:
        if event.kind is EventKind.CONNECTION_LOST:
            yield Fault(event.at, "connection", event.text)
    for training in history.trainings:
        yield from _of_training(training)
    for stage in history.stages:
        if stage.state is StageState.FAILED:
            ended_it = history.row.state is RunState.ENDED or stage is history.stages[-1]
            yield Fault(stage.ended_at or stage.started_at, "failed", f"{stage.stage}: {stage.summary}", ended_it)


def _of_training(training: Training) -> Iterator[Fault]:
    for said in training.said:
        if said.kind in _TROUBLE:
            yield Fault(said.at, "set aside" if said.kind == "set_aside" else said.kind, said.text)
    for start in training.starts[1:]:
        lost = f"{start.lost_steps} steps were trained again" if start.lost_steps else "no step was lost"
        yield Fault(start.at, "restart", f"training went on from step {start.step}; {lost}")
