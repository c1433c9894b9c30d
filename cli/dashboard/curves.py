"""Curves for a plot: as many points as its pixels can show, whatever the run has, and no peak left out."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The smooth line follows the last fiftieth of what is shown: enough to see a trend through the noise of batches.
_SMOOTH_SHARE = 50
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve, ready to draw.

    Attributes:
        x: Steps, rising.
        y: The lowest and the highest value of each piece of the curve, in order.
        smooth: The exponential moving average at the same steps; empty where it was not asked for.
    """

    x: list[float]
    y: list[float]
    smooth: list[float]


def curve(
    columns: Mapping[str, Sequence[float]],
    name: str,
    *,
    pieces: int,
    first: float = -math.inf,
    last: float = math.inf,
    with_smooth: bool = False,
) -> Curve:
    """A column of `runs.training_log.Training` between two steps, in at most twice `pieces` points and both ends."""
    steps, values = _told(columns["step"], columns[name])
    begin, end = bisect_left(steps, first), bisect_right(steps, last)
    chosen = _extremes(values, begin, end, pieces)
    smooth = _smoothed(values, begin, end) if with_smooth else []
    return Curve(
        [steps[i] for i in chosen],
        [_short(values[i]) for i in chosen],
        [_short(smooth[i - begin]) for i in chosen] if with_smooth else [],
    )


def _told(steps: Sequence[float], values: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    """Both without what was not told, NaN."""
    if not any(map(math.isnan, values)):
        return steps, values
    kept = [i for i, value in enumerate(values) if not math.isnan(value)]
    return array("d", (steps[i] for i in kept)), array("d", (values[i] for i in kept))


def _extremes(values: Sequence[float], begin: int, end: int, pieces: int) -> list[int]:
    """Where the lowest and the highest value of each piece are; the first and the last value are always among them."""
    if end - begin <= 2 * pieces:
        return list(range(begin, end))
    chosen = {begin, end - 1}
    for number in range(pieces):
        low = begin + number * (end - begin) // pieces
        piece = values[low : begin + (number + 1) * (end - begin) // pieces]
        chosen.add(low + piece.index(min(piece)))
        chosen.add(low + piece.index(max(piece)))
    return sorted(chosen)


def _smoothed(values: Sequence[float], begin: int, end: int) -> list[float]:
    """The exponential moving average from `begin` on, without its usual pull towards zero (as Adam takes it out)."""
    keep = 1 - 1 / max(1.0, (end - begin) / _SMOOTH_SHARE)
    mean, weight, smooth = 0.0, 0.0, []
    for value in values[begin:end]:
        mean = keep * mean + (1 - keep) * value
        weight = keep * weight + (1 - keep)
        smooth.append(mean / weight)
    return smooth


def _short(value: float) -> float:
    """As many digits as anybody reads: the answer becomes half as long."""
    return float(f"{value:.{_DIGITS}g}")
