"""When each line of a training log was written, and in which part of the training: the log itself has no times.

The trainer tells the same things in the log and, with their time, in `metrics.jsonl`: what begins (`phase: NAME`), each
logged step (`{'loss': '6.935', ...`) and each note. What stands between two of them is as old as the one before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runs.training_log import event_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_PHASE = re.compile(r"phase: (?P<phase>\w+)(?: \((?P<stage>[^)]*)\))?$")
_LOSS = re.compile(r"\{'loss': '(?P<loss>[^']+)'")
_NOTE = "note: "
# The log shows four digits of a loss.
_ROUNDING = 1e-3
# An event whose line is not in the log (its writer was killed between the two) is skipped, but no more than so many.
_AHEAD = 200


@dataclass(frozen=True, slots=True)
class Where:
    """Where a line stands.

    Attributes:
        at: When it was written or soon after, in seconds since the epoch; None before the first line with a time.
        phase: What the trainer did (`loading`, `training`, `saving_final`, `verifying`); empty before it began.
        stage: The stage of `train`; empty where there is one alone.
    """

    at: float | None = None
    phase: str = ""
    stage: str = ""


class LogClock:
    """Goes through a log line by line, beside the events of its trainer."""

    def __init__(self, events: Iterable[dict[str, Any]]) -> None:
        self._events = [event for event in events if event.get("event") in {"phase", "step", "note"}]
        self._next = 0
        self._where = Where()

    @classmethod
    def of(cls, metrics: Path) -> LogClock:
        """Go by a copy of `metrics.jsonl`; without one, phases are told and times are not."""
        return cls(_events(metrics))

    def see(self, line: str) -> Where:
        """Where the next line stands."""
        if (phase := _PHASE.match(line)) is not None:
            at = self._time_of(lambda event: event.get("event") == "phase" and event.get("name") == phase["phase"])
            self._where = Where(at or self._where.at, phase["phase"], phase["stage"] or "")
        elif (loss := _LOSS.search(line)) is not None and (number := _number(loss["loss"])) is not None:
            self._tell(self._time_of(lambda event: _is_near(event.get("loss"), number)))
        elif line.startswith(_NOTE):
            self._tell(self._time_of(lambda event: event.get("text") == line.removeprefix(_NOTE)))
        return self._where

    def _tell(self, at: float | None) -> None:
        if at is not None:
            self._where = Where(at, self._where.phase, self._where.stage)

    def _time_of(self, fits: Any) -> float | None:  # noqa: ANN401 - a condition on an event
        for index in range(self._next, min(self._next + _AHEAD, len(self._events))):
            if fits(self._events[index]):
                self._next = index + 1
                at = self._events[index].get("t")
                return float(at) if isinstance(at, int | float) else None
        return None


def _events(metrics: Path) -> Iterator[dict[str, Any]]:
    if not metrics.exists():
        return
    with metrics.open("rb") as stream:
        for line in stream:
            if (event := event_of(line.strip())) is not None:
                yield event


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _is_near(loss: object, shown: float) -> bool:
    return isinstance(loss, int | float) and abs(loss - shown) <= _ROUNDING * max(1e-3, abs(shown))
