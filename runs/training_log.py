"""What the trainer told, read from `metrics.jsonl` as it grows: curves in columns, saves, starts, and what was said."""

from __future__ import annotations

import json
import math
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from remote.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

METRICS_FILE = "metrics.jsonl"
# What a logged step tells, by the names in metrics.jsonl; `at` is seconds since the epoch.
FIGURES = (
    "loss",
    "learning_rate",
    "grad_norm",
    "epoch",
    "tokens_per_second",
    "mfu",
    "gpu_memory_bytes",
    "gpu_power_watts",
    "gpu_utilization_percent",
    "data_wait_seconds",
    "save_seconds",
)
COLUMNS = ("step", "at", *FIGURES)
_READ_BYTES = 4 << 20
# Beyond these nothing is a figure, a moment (the year 5138) or a count of anything.
_MOST, _LAST_TIME, _MOST_COUNTED = 1e30, 1e11, 1 << 53
# NaN is not JSON: a loss that is not a number becomes null.
_DECODER = json.JSONDecoder(parse_constant=lambda _: None)
# Notes and problems of a run that restarts all night; the first and the last tell enough.
_MOST_SAID = 500


@dataclass(frozen=True, slots=True)
class Save:
    """A checkpoint that was written.

    Attributes:
        at: When it was complete, in seconds since the epoch.
        step: Of which step.
        seconds: How long it took.
        size_bytes: All of it; 0 where it was not told.
        home: `saved` by the trainer, `drained` from scratch to the workspace, `mirrored` to blob storage.
    """

    at: float
    step: int
    seconds: float
    size_bytes: int
    home: str


@dataclass(frozen=True, slots=True)
class Said:
    """Something that the trainer told in words.

    Attributes:
        at: In seconds since the epoch.
        kind: `note`, `phase`, `warning`, `problem` or `set_aside`.
        text: The words.
    """

    at: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Start:
    """The trainer began, or began again.

    Attributes:
        at: In seconds since the epoch.
        step: The step that it went on from; 0 for the beginning.
        total_steps: How many there are.
        planned_saves: The first and the last steps that it meant to save at.
        lost_steps: Steps that were trained before and had to be trained again.
    """

    at: float
    step: int
    total_steps: int
    planned_saves: tuple[int, ...]
    lost_steps: int


@dataclass(frozen=True, slots=True)
class Training:
    """One training (one stage of `train`), as it was told.

    Attributes:
        stage: Its name; empty where the run has a single one.
        columns: `COLUMNS` by name, each an array of the same length with one value for each logged step, steps rising;
            NaN for what was not told. What an attempt trained beyond the checkpoint that the next one went on from is
            left out.
        saves: Every checkpoint, in order.
        starts: Every start, in order.
        said: What was told in words, in order.
        total_steps: How many steps there are; None before it is known.
        rows: Rows of data; None before it is known.
        tokens: Tokens in them.
    """

    stage: str
    columns: Mapping[str, array[float]]
    saves: tuple[Save, ...] = ()
    starts: tuple[Start, ...] = ()
    said: tuple[Said, ...] = ()
    total_steps: int | None = None
    rows: int | None = None
    tokens: int | None = None

    @property
    def points(self) -> int:
        """How many steps were logged."""
        return len(self.columns["step"])

    @property
    def lost_steps(self) -> int:
        """Steps that were trained more than once, over all restarts."""
        return sum(start.lost_steps for start in self.starts)

    def newest(self, column: str) -> float | None:
        """The newest value that was told of a column, or None."""
        return next((value for value in reversed(self.columns[column]) if not math.isnan(value)), None)

    def curve(self, column: str) -> list[tuple[int, float]]:
        """(step, value) of a column, where it was told."""
        pairs = zip(self.columns["step"], self.columns[column], strict=True)
        return [(int(step), value) for step, value in pairs if not math.isnan(value)]


@dataclass(slots=True)
class _Part:
    """A training while it is read."""

    stage: str
    columns: dict[str, array[float]] = field(default_factory=lambda: {name: array("d") for name in COLUMNS})
    saves: list[Save] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    total_steps: int | None = None
    rows: int | None = None
    tokens: int | None = None

    def frozen(self) -> Training:
        return Training(
            self.stage, {name: column[:] for name, column in self.columns.items()}, tuple(self.saves),
            tuple(self.starts), tuple(self.said), self.total_steps, self.rows, self.tokens,
        )  # fmt: skip

    def take(self, event: Mapping[str, Any]) -> None:
        at, kind = _time(event.get("t")), event.get("event")
        if kind == "step":
            self._step(event, at)
        elif kind == "plan":
            self._start(event, at)
        elif kind == "data":
            self.rows, self.tokens = _count(event.get("rows")), _count(event.get("tokens"))
        elif isinstance(kind, str) and kind in _HOMES:
            size = _count(event.get("bytes")) or 0
            step, seconds = _count(event.get("step")) or 0, _known(event.get("seconds"))
            self.saves.append(Save(at, step, seconds, size, _HOMES[kind]))
        elif isinstance(kind, str) and kind in _WORDS and len(self.said) < _MOST_SAID:
            said = "warning" if event.get("warning") else str(kind)
            self.said.append(Said(at, said, printable(str(event.get(_WORDS[kind]) or ""))))

    def _step(self, event: Mapping[str, Any], at: float) -> None:
        step = _count(event.get("step"))
        if step is None:
            return
        columns = self.columns
        if columns["step"] and columns["step"][-1] >= step:
            self._forget_from(step)
        columns["step"].append(step)
        columns["at"].append(at)
        for name in FIGURES:
            value = event.get(name)
            # Written out for speed: this is done two million times for a run of 200,000 steps.
            columns[name].append(value if type(value) is float and -_MOST < value < _MOST else _number(value))
        self.total_steps = _count(event.get("total_steps")) or self.total_steps

    def _start(self, event: Mapping[str, Any], at: float) -> None:
        step, total = _count(event.get("start_step")) or 0, _count(event.get("total_steps")) or 0
        trained = int(self.columns["step"][-1]) if self.columns["step"] else 0
        planned = event.get("save_steps")
        saves = tuple(n for n in planned if _count(n) is not None) if isinstance(planned, list) else ()
        self.starts.append(Start(at, step, total, saves, max(0, trained - step) if self.starts else 0))
        self.total_steps = total or self.total_steps
        self._forget_from(step + 1)

    def _forget_from(self, step: int) -> None:
        """A step back, after a restart from a checkpoint, takes what came after it off the curve."""
        steps = self.columns["step"]
        while steps and steps[-1] >= step:
            for column in self.columns.values():
                column.pop()


_HOMES = {"save": "saved", "drained": "drained", "mirrored": "mirrored"}
# Kinds of events that are words, and the key that has them.
_WORDS = {"note": "text", "problem": "text", "phase": "name", "set_aside": "reason"}


class TrainingReader:
    """Reads a growing `metrics.jsonl`; each call takes in what was appended since the last one."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._begin_again()

    def _begin_again(self) -> None:
        self._offset, self._rest = 0, b""
        self._parts: dict[str, _Part] = {}
        self._newest = ""

    def read(self) -> tuple[Training, ...]:
        """Every training so far, in order: one, or one for each stage of `train`; none before the first event.

        A file that has become shorter is another one and read from its beginning. Lines that are damaged (their writer
        was killed) are passed over.
        """
        self._catch_up()
        return tuple(part.frozen() for part in self._parts.values())

    def _catch_up(self) -> None:
        try:
            with self._file.open("rb") as stream:
                if stream.seek(0, 2) < self._offset:
                    self._begin_again()
                stream.seek(self._offset)
                while data := stream.read(_READ_BYTES):
                    self._offset += len(data)
                    *lines, self._rest = (self._rest + data).split(b"\n")
                    for line in lines:
                        self._take(line)
        except FileNotFoundError:
            self._begin_again()

    def _take(self, line: bytes) -> None:
        event = event_of(line)
        if event is None:
            return
        # What is told without a stage (by the drain, for example) belongs to the one that runs.
        if "stage" in event:
            self._enter(event["stage"])
        elif event.get("event") == "stage" and event.get("of") != 1:
            self._enter(event.get("name"))
        self._parts.setdefault(self._newest, _Part(self._newest)).take(event)

    def _enter(self, stage: object) -> None:
        """A stage begins, or goes on. What was told before the first one belongs to it."""
        self._newest = printable(str(stage))
        before = self._parts.get("")
        if before is not None and not before.starts and not self._parts.keys() - {""}:
            before.stage = self._newest
            self._parts = {self._newest: before}


def event_of(line: bytes) -> dict[str, Any] | None:
    """The event in one line of `metrics.jsonl`; None for a line that is damaged (its writer was killed) or empty."""
    try:
        event = _DECODER.decode(line.decode("utf-8")) if line else None
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _number(value: object) -> float:
    """A figure, or NaN; a machine may write what it likes."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not -_MOST < value < _MOST:
        return math.nan
    return float(value)


def _time(value: object) -> float:
    """Seconds since the epoch that a calendar has; 0 for anything else."""
    number = _number(value)
    return number if 0 <= number < _LAST_TIME else 0.0


def _known(value: object) -> float:
    number = _number(value)
    return 0.0 if math.isnan(number) else number


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_COUNTED else None
