"""What the trainer reports: metrics.jsonl, read as it grows."""

from __future__ import annotations

import json
import statistics
from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_MAX_LOSSES = 200
_MAX_NOTES = 20
_READ_BYTES = 4 << 20
_RATE_WINDOW_STEPS = 50
_PROGRESS_KEYS = ("step", "total_steps", "loss", "learning_rate", "grad_norm", "epoch", "tokens_per_second")


class Metrics:
    """The newest of every kind of event, and a thinned curve of losses."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._forget()

    def _forget(self) -> None:
        self._offset = 0
        self._rest = b""
        self._values: dict[str, Any] = {}
        self._phase: str | None = None
        self._last_step_at = 0.0
        self._times: deque[tuple[float, int]] = deque(maxlen=_RATE_WINDOW_STEPS)
        self._problem: dict[str, Any] | None = None
        self._ending: dict[str, Any] | None = None
        self.losses = Losses()
        self.notes: deque[str] = deque(maxlen=_MAX_NOTES)
        self.last_save_seconds: float | None = None

    def read(self) -> None:
        """Take in what was appended since the last call, at most 4 MiB of it."""
        try:
            with self._path.open("rb") as file:
                if self._path.stat().st_size < self._offset:
                    self._forget()
                file.seek(self._offset)
                data = file.read(_READ_BYTES)
        except FileNotFoundError:
            return
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            event = _event(line)
            if event is not None:
                self._take(event)

    def progress(self, now: float) -> dict[str, Any] | None:
        """The `progress` part of a status, or None before the first event."""
        if self._phase is None and not self._values:
            return None
        values = {key: self._values.get(key) for key in _PROGRESS_KEYS}
        return {"phase": self._phase, **values, "eta_seconds": self._eta_seconds(now)}

    def problem_since(self, began_at: float, *, ended_it: bool = False) -> dict[str, Any] | None:
        """The newest problem that the trainer reported from `began_at` on: `{"kind", "text"}`.

        `ended_it` leaves out warnings, with which training goes on.
        """
        problem = self._ending if ended_it else self._problem
        return problem if problem is not None and problem["t"] >= began_at else None

    @property
    def phase(self) -> str | None:
        """What the trainer said last that it does."""
        return self._phase

    @property
    def step(self) -> int | None:
        """The newest step that the trainer reported."""
        step = self._values.get("step")
        return step if isinstance(step, int) else None

    @property
    def last_step_at(self) -> float:
        """When, in seconds since the epoch; 0 before the first."""
        return self._last_step_at

    @property
    def step_seconds(self) -> float | None:
        """Seconds of a usual step: the median of the last ones, with the saves between them; None before two."""
        pairs = [(t1 - t0) / (n1 - n0) for (t0, n0), (t1, n1) in pairwise(self._times)]
        return statistics.median(pairs) if pairs else None

    def _take(self, event: dict[str, Any]) -> None:
        kind = event.get("event")
        if kind == "step":
            self._take_step(event)
        elif kind == "plan":
            self._values["total_steps"] = event.get("total_steps")
            self._times.clear()
        elif kind == "phase":
            self._phase = str(event.get("name"))
        elif kind == "save":
            self.last_save_seconds = event.get("seconds")
        elif kind == "note":
            self.notes.append(str(event.get("text")))
        elif kind == "problem":
            self._problem = {"t": float(event.get("t", 0.0)), "kind": event.get("kind"), "text": event.get("text")}
            if not event.get("warning"):
                self._ending = self._problem

    def _take_step(self, event: dict[str, Any]) -> None:
        step = event.get("step")
        if not isinstance(step, int):
            return
        self._values.update({key: event[key] for key in _PROGRESS_KEYS if key in event})
        if self._times and step <= self._times[-1][1]:
            self._times.clear()
        self._last_step_at = float(event.get("t", 0.0))
        self._times.append((self._last_step_at, step))
        loss = event.get("loss")
        if isinstance(loss, int | float):
            self.losses.add(step, loss)

    def _eta_seconds(self, now: float) -> float | None:
        total = self._values.get("total_steps")
        if not isinstance(total, int) or len(self._times) < 2:
            return None
        (began, first), (ended, last) = self._times[0], self._times[-1]
        at_last = (ended - began) / (last - first) * (total - last)
        return round(max(0.0, at_last - (now - ended)), 1)


class Losses:
    """A loss curve of at most 200 points over the whole run, the newest always among them."""

    def __init__(self) -> None:
        self._points: list[tuple[int, float]] = []
        self._last: tuple[int, float] | None = None
        self._every = 1
        self._seen = 0

    def add(self, step: int, loss: float) -> None:
        """One more point; a step back (after a restart from a checkpoint) forgets what came after it."""
        if self._last is not None and step <= self._last[0]:
            self._points = [point for point in self._points if point[0] < step]
        self._last = (step, loss)
        if self._seen % self._every == 0:
            self._points.append(self._last)
        self._seen += 1
        if len(self._points) >= _MAX_LOSSES:
            self._points = self._points[::2]
            self._every *= 2

    def points(self) -> list[tuple[int, float]]:
        """The curve, oldest first."""
        if self._last is None or (self._points and self._points[-1] == self._last):
            return list(self._points)
        return [*self._points, self._last]


def _event(line: bytes) -> dict[str, Any] | None:
    """The event in one line; None for a damaged line (a writer killed in the middle of it)."""
    try:
        # NaN is not JSON: a loss that is not a number becomes null.
        event = json.loads(line, parse_constant=lambda _: None)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
