"""Numbers and curves as a person reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.sparkline import sparkline
from cli.words import duration, size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 m 00 s"), (3599, "59 m 59 s"), (7620, "2 h 07 m"), (273_600, "3 d 04 h")],
)
def test_durations_have_two_units_at_most(seconds: float, words: str) -> None:
    """The larger the time, the coarser the words."""
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (999, "999 B"), (4_244_008, "4.2 MB"), (94.3e9, "94.3 GB"), (2.5e12, "2.50 TB")]
)
def test_sizes_are_decimal(count: float, words: str) -> None:
    """As disks are sold."""
    assert size(count) == words


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.integers(1, 60))
def test_a_sparkline_fits_and_shows_the_extremes(values: list[float], width: int) -> None:
    """Never wider than asked; the highest block appears when there is any difference."""
    line = sparkline(values, width=width)
    assert len(line) == min(width, len(values))
    assert "▁" in line


def test_no_values_make_no_line() -> None:
    """A run that has not stepped yet shows nothing."""
    assert sparkline([], width=10) == ""
