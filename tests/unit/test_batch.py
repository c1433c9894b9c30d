"""A step keeps its rows whatever the number of processes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.training.batch import Batch, going_on
from templates.training.errors import RowsError

_SMALL = st.integers(1, 12)


def test_a_beginning_is_as_asked() -> None:
    """Nothing to go on from, nothing to fit."""
    asked = Batch.asked(micro=8, accumulation=4, processes=4)
    assert asked.rows == 128
    assert going_on(asked, {}) == asked


@pytest.mark.parametrize(
    ("processes", "expected"), [(4, (8, 4)), (2, (8, 8)), (1, (8, 16)), (8, (8, 2)), (16, (8, 1)), (32, (4, 1))]
)
def test_the_recipes_128_rows(processes: int, expected: tuple[int, int]) -> None:
    """Fewer processes accumulate more often, many take fewer rows at a time; none takes more than was asked for."""
    manifest = Batch.asked(8, 4, 4).facts()
    batch = going_on(Batch.asked(8, 4, processes), manifest)
    assert (batch.micro, batch.accumulation) == expected
    assert batch.rows == 128


@given(_SMALL, _SMALL, _SMALL, st.lists(_SMALL, max_size=4))
def test_any_sequence_of_sizes_keeps_rows_and_order(
    micro: int, accumulation: int, first: int, later: list[int]
) -> None:
    """Every step has the first run's rows, sorted among the first run's groups; what cannot be is refused."""
    began = Batch.asked(micro, accumulation, first)
    manifest = began.facts()
    for processes in later:
        asked = Batch.asked(micro, accumulation, processes)
        if began.rows % processes:
            with pytest.raises(RowsError, match=f"{began.rows} rows cannot be dealt out to {processes} processes"):
                going_on(asked, manifest)
            continue
        batch = going_on(asked, manifest)
        assert (batch.rows, batch.group) == (began.rows, began.group)
        assert batch.micro <= micro
        manifest = batch.facts()


def test_memory_may_be_saved_on_the_way() -> None:
    """Half the rows at a time, twice as often, is the same step."""
    assert going_on(Batch.asked(4, 8, 4), Batch.asked(8, 4, 4).facts()).micro == 4


def test_another_global_batch_is_refused() -> None:
    """A changed run file is told what to do."""
    with pytest.raises(RowsError, match=r"have 128 rows, .* undo the change to go on, or begin a new run: 64"):
        going_on(Batch.asked(4, 4, 4), Batch.asked(8, 4, 4).facts())
