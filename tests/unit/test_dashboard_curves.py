"""Curves for a plot: few points, no peak lost."""

from __future__ import annotations

import math
from array import array

from hypothesis import given
from hypothesis import strategies as st

from cli.dashboard.curves import curve

FIGURES = st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(math.nan)), max_size=400)


def columns(values: list[float]) -> dict[str, array[float]]:
    """One value for each step from 1."""
    return {"step": array("d", range(1, len(values) + 1)), "loss": array("d", values)}


@given(FIGURES, st.integers(1, 50))
def test_few_points_with_every_extreme(values: list[float], pieces: int) -> None:
    """At most two points a piece and both ends; the lowest and the highest value are shown; steps rise."""
    told = [value for value in values if not math.isnan(value)]
    drawn = curve(columns(values), "loss", pieces=pieces, with_smooth=True)
    assert len(drawn.x) == len(drawn.y) == len(drawn.smooth) <= 2 * pieces + 2
    assert drawn.x == sorted(set(drawn.x))
    if told:
        assert drawn.y[0] == float(f"{told[0]:.6g}")
        assert drawn.y[-1] == float(f"{told[-1]:.6g}")
        assert min(drawn.y) == float(f"{min(told):.6g}")
        assert max(drawn.y) == float(f"{max(told):.6g}")


def test_a_single_peak_among_200_000_is_there() -> None:
    """A spike of one step is what one looks for."""
    values = [1.0] * 200_000
    values[123_456] = 9.0
    drawn = curve(columns(values), "loss", pieces=500)
    assert (123_457.0, 9.0) in list(zip(drawn.x, drawn.y, strict=True))


def test_a_part_is_cut_out() -> None:
    """Only steps between the two that were asked for, both included."""
    drawn = curve(columns([float(n) for n in range(100)]), "loss", pieces=500, first=10, last=12)
    assert drawn.x == [10, 11, 12]


@given(st.floats(-1e3, 1e3), st.integers(1, 300))
def test_the_smooth_line_of_a_flat_curve_is_flat(value: float, count: int) -> None:
    """It starts at the first value and not at zero."""
    drawn = curve(columns([value] * count), "loss", pieces=500, with_smooth=True)
    assert drawn.smooth
    assert all(math.isclose(smooth, value, rel_tol=1e-4, abs_tol=1e-6) for smooth in drawn.smooth)


def test_nothing_told_is_no_curve() -> None:
    """A column without a value is empty."""
    assert curve(columns([math.nan, math.nan]), "loss", pieces=10).x == []
