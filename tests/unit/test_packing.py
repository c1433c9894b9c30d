"""How rows lie in their batches: what the planner and the trainer agree on."""

from __future__ import annotations

import pytest

from runs.plan.packing import packing_plan
from runs.plan.steps import DataSize, total_steps
from runs.spec.train import Train
from templates.training.packing import PackBatch, fit_packs


@pytest.mark.parametrize(
    ("asked", "rows_per_pack", "expected"),
    [
        ((8, 4), 1.0, PackBatch(8, 4, 32.0)),
        ((8, 4), 4.0, PackBatch(8, 1, 32.0)),
        # Seven packs hold 32.2 rows; one at a time would be slower, and eight never fit.
        ((8, 4), 4.6, PackBatch(7, 1, 32.2)),
        ((4, 2), 0.8, PackBatch(2, 5, 8.0)),
        # A pack holds more rows than a step was to have: one it is.
        ((2, 1), 9.0, PackBatch(1, 1, 9.0)),
    ],
)
def test_a_step_keeps_its_rows(asked: tuple[int, int], rows_per_pack: float, expected: PackBatch) -> None:
    """Packs are dealt out so that a step sees about the rows that were asked for, never more slots at a time."""
    fitted = fit_packs(*asked, rows_per_pack)
    assert (fitted.micro, fitted.accumulation) == (expected.micro, expected.accumulation)
    assert fitted.rows == pytest.approx(expected.rows)


DATA = DataSize(rows=1000, stored_bytes=1, tokens_per_row=821, basis="counted", mean_tokens=400)


@pytest.mark.parametrize("packing", ["auto", "none", "group_by_length", "flat"])
def test_without_packs_steps_are_those_of_the_recipe(packing: str) -> None:
    """Exactly, whichever way fills the slots better."""
    train = Train.model_validate({"packing": packing})
    found = packing_plan(DATA, train, processes=4)
    assert found.is_exact
    assert found.rows_per_step == 128
    assert found.steps == total_steps(1000, train, 4) == 24
    assert found.slots_per_row >= 400


def test_auto_pads_nothing() -> None:
    """Fewer slots than padding, the same rows; but for an attention that would compute all rows against each other."""
    found = packing_plan(DATA, Train.model_validate({}), processes=2)
    padded = packing_plan(DATA, Train.model_validate({"packing": "none"}), processes=2)
    assert (found.packing, found.is_chosen, padded.is_chosen) == ("flat", True, False)
    assert found.slots_per_row < padded.slots_per_row
    asked = packing_plan(DATA, Train.model_validate({"attention": "sdpa"}), processes=2)
    assert (asked.packing, asked.is_chosen) == ("group_by_length", True)
    older = packing_plan(DATA, Train.model_validate({"packing": "none", "group_by_length": True}), processes=2)
    assert older.packing == "group_by_length"


def test_packs_are_estimated_and_said_to_be() -> None:
    """Five rows of 400 tokens in a pack of 2,048: six packs a step and process instead of 32 rows, as many steps."""
    found = packing_plan(DATA, Train.model_validate({"packing": "bfd"}), processes=4)
    assert not found.is_exact
    assert found.packs_per_step == 24
    assert found.rows_per_step == pytest.approx(128, rel=0.1)
    assert found.steps is not None
    assert abs(found.steps - 24) <= 6


def test_unknown_data_gives_no_steps() -> None:
    """And the longest rows stand in for their lengths."""
    found = packing_plan(None, Train.model_validate({"packing": "bfd"}), processes=4)
    assert (found.steps, found.slots_per_row, found.is_exact) == (None, 2048, False)
    assert packing_plan(None, Train.model_validate({}), processes=4).is_exact
