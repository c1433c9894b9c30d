"""A run's time as lanes of spans and marks, in percent of the width."""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.words import clock, duration
from runs.faults import faults_of
from runs.types import RunState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.faults import Fault
    from runs.history import RunHistory
    from runs.types import StageRow

_NICE_SECONDS = (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 604800)
_TICKS = 5
# A span of a second in a run of a day is still to be seen.
_LEAST_PERCENT = 0.4
_MOST_MARKS = 150


@dataclass(frozen=True, slots=True)
class Span:
    """From where to where something went on: left edge and width in percent, kind for its colour, words for it."""

    left: float
    width: float
    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class Mark:
    """When something happened, likewise."""

    left: float
    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One line of the timeline; `note` is what its end says."""

    name: str
    spans: tuple[Span, ...]
    marks: tuple[Mark, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """All of it; `ticks` are (percent, words) along the axis."""

    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[float, str], ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class _Scale:
    begin: float
    end: float

    def percent(self, at: float) -> float:
        share = (at - self.begin) / max(self.end - self.begin, 1.0)
        return round(100 * min(max(share, 0.0), 1.0), 3)

    def span(self, begin: float, end: float | None, kind: str, words: str) -> Span:
        left, right = self.percent(begin), self.percent(self.end if end is None else end)
        width = max(right - left, _LEAST_PERCENT)
        return Span(min(left, 100 - width), width, kind, words)

    def marks(self, found: list[tuple[float, str]], kind: str) -> tuple[Mark, ...]:
        every = max(1, -(-len(found) // _MOST_MARKS))
        return tuple(Mark(self.percent(at), kind, words) for at, words in found[::every])


def timeline(history: RunHistory, now: float) -> Timeline:
    """The run's time from its beginning until `now`, or until its last stage ended."""
    faults = faults_of(history)
    ended = [stage.ended_at for stage in history.stages if stage.ended_at is not None]
    is_over = history.row.state is RunState.ENDED and ended
    scale = _Scale(history.row.created_at, max(ended) if is_over else now)
    return Timeline(tuple(_lanes(history, faults, scale)), tuple(axis(scale.end - scale.begin)), faults)


def _lanes(history: RunHistory, faults: tuple[Fault, ...], scale: _Scale) -> Iterator[Lane]:
    for stage in history.stages:
        inside = [fault for fault in faults if _is_inside(fault.at, stage, history)]
        marks = scale.marks([(fault.at, f"{fault.kind}: {fault.text}") for fault in inside], "fault")
        yield Lane(stage.stage.value, (_stage_span(stage, scale),), marks, _how_long(stage, scale.end))
    saves = [
        (save.at, f"saved step {save.step} at {clock(save.at)}, took {save.seconds:.1f} s")
        for training in history.trainings
        for save in training.saves
        if save.home == "saved"
    ]
    if saves:
        yield Lane("saves", (), scale.marks(saves, "save"), str(len(saves)))
    gone = tuple(
        scale.span(one.off_at, one.back_at, "failed", f"taken away {clock(one.off_at)}: {one.words}")
        for one in history.evictions
    )
    if gone:
        yield Lane("evicted", gone, note=str(len(gone)))


def _is_inside(at: float, stage: StageRow, history: RunHistory) -> bool:
    """Each fault is marked once: in the newest stage that had begun by then."""
    begun = sorted(one.started_at for one in history.stages)
    return begun[max(0, bisect.bisect_right(begun, at) - 1)] == stage.started_at


def _stage_span(stage: StageRow, scale: _Scale) -> Span:
    words = f"{stage.stage}: {stage.state}, {_how_long(stage, scale.end)}"
    return scale.span(stage.started_at, stage.ended_at, stage.state, f"{words}. {stage.summary}".rstrip(". "))


def _how_long(stage: StageRow, now: float) -> str:
    return duration(max(0.0, (stage.ended_at or now) - stage.started_at))


def axis(length_seconds: float) -> Iterator[tuple[float, str]]:
    """Ticks along a time of some length, at whole numbers of a unit: (percent, words)."""
    length = max(length_seconds, 1.0)
    week = _NICE_SECONDS[-1]
    nice = (one for one in _NICE_SECONDS if length / one <= _TICKS)
    every = next(nice, week * math.ceil(length / week / _TICKS))
    for number in range(int(length // every) + 1):
        yield round(100 * number * every / length, 3), _offset(number * every)


def _offset(seconds: int) -> str:
    """`0`, `30 s`, `15 m`, `6 h`, `2 d`: whole numbers of the largest unit that fits."""
    for unit, name in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds // unit} {name}"
    return f"{seconds} s" if seconds else "0"
