"""Fewer points of a curve, with its highs and lows kept. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def thinned(points: Sequence[tuple[int, float]], most: int) -> list[tuple[int, float]]:
    """At most `most` points (four or more): the first, the last, and the lowest and highest of equal shares between.

    So that a spike of one step among 200,000 is still to be seen.
    """
    if len(points) <= most:
        return list(points)
    inner, shares = points[1:-1], (most - 2) // 2
    kept: list[tuple[int, float]] = [points[0]]
    for share in range(shares):
        part = inner[share * len(inner) // shares : (share + 1) * len(inner) // shares]
        kept += sorted({min(part, key=_value), max(part, key=_value)})
    return [*kept, points[-1]]


def _value(point: tuple[int, float]) -> float:
    return point[1]
