"""A chart before it is drawn: curves and axes in shares of its width and height. Pure; `svg` and `png` draw it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Points = Sequence[tuple[float, float]]

_TICKS = 5
_NICE = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its ends, and its ticks as (share of its length, words)."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def share(self, value: float) -> float:
        """Where a value is, from 0 to 1."""
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: points as shares from the left and from the bottom; `faint` stands behind the others."""

    name: str
    points: tuple[tuple[float, float], ...]
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a place of the x axis: `kind` for its colour (`save` or `fault`), and its words."""

    at: float
    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    """All of it; `words` say what is to be seen, for those who cannot see it."""

    title: str
    words: str
    x: Axis
    y: Axis
    curves: tuple[Curve, ...]
    marks: tuple[Mark, ...] = ()


def axis(values: Sequence[float], *, words: Callable[[float], str], from_zero: bool = False) -> Axis:
    """An axis that holds all values, with about five round ticks."""
    low, high = min(values), max(values)
    low = min(0.0, low) if from_zero else low
    if high - low <= abs(high) * 1e-9:
        low, high = (low - 1.0, high + 1.0) if low else (0.0, 1.0)
    step = _step(high - low)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ends = first * step, last * step
    ticks = tuple(((n * step - ends[0]) / (ends[1] - ends[0]), words(n * step)) for n in range(first, last + 1))
    return Axis(*ends, ticks)


def steps_axis(last: int) -> Axis:
    """The x axis of a training: from 0 to its last step, wherever that is."""
    last = max(1, last)
    step = max(1, round(_step(last)))
    return Axis(0.0, float(last), tuple((n / last, f"{n:,}") for n in range(0, last + 1, step)))


def curve(name: str, points: Points, x: Axis, y: Axis, *, faint: bool = False) -> Curve:
    """A line on two axes."""
    return Curve(name, tuple((x.share(a), y.share(b)) for a, b in points), faint)


def smoothed(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """An exponential mean over a fiftieth of the curve, corrected for its beginning, as TensorBoard shows it."""
    keep = 1 - 1 / max(2.0, len(points) / 50)
    mean, weight, found = 0.0, 0.0, []
    for step, value in points:
        mean, weight = keep * mean + (1 - keep) * value, keep * weight + (1 - keep)
        found.append((step, mean / weight))
    return found


def _step(span: float) -> float:
    """A round number of which about five make the span."""
    raw = span / _TICKS
    scale = 10.0 ** math.floor(math.log10(raw))
    return next(nice for nice in _NICE if nice * scale >= raw * (1 - 1e-9)) * scale
