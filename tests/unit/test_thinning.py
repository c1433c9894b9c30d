"""Curves become smaller and keep what the eye looks for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runs.thinning import thinned


@given(st.lists(st.floats(-1e6, 1e6), max_size=300), st.integers(4, 50))
def test_first_last_lowest_and_highest_stay(values: list[float], most: int) -> None:
    """In order, and no more than asked for."""
    points = list(enumerate(values))
    kept = thinned(points, most)
    assert len(kept) <= max(most, 0)
    assert kept == sorted(set(kept))
    assert set(kept) <= set(points)
    if points:
        assert (kept[0], kept[-1]) == (points[0], points[-1])
        found = [value for _, value in kept]
        assert (min(found), max(found)) == (min(values), max(values))
