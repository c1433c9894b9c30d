"""How rows lie in their batches, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runs.plan.packing import PackingPlan

_MODES = {
    "none": "each padded to its longest row, as in the recipe",
    "group_by_length": "rows of like length together",
    "flat": "rows one after the other, no padding",
    "bfd": "rows packed by best fit",
    "bfd_split": "rows packed by best fit, long ones split",
    "wrapped": "rows cut out of one stream",
}


def packing_words(packing: PackingPlan, rows_per_step: int) -> str:
    """The mode, what it gains, and what it does to a step.

    Args:
        packing: The mode.
        rows_per_step: Rows that were asked for.
    """
    chosen = " (chosen)" if packing.is_chosen else ""
    gain = f"about {packing.fill:.0%} of the slots hold tokens"
    if packing.packing != "none":
        gain += f" ({packing.padded_fill:.0%} if rows were only padded)"
    return f"{packing.packing}{chosen}: {_MODES[packing.packing]}; {gain}; {_steps(packing, rows_per_step)}"


def _steps(packing: PackingPlan, rows_per_step: int) -> str:
    if packing.is_exact:
        return f"a step sees the {rows_per_step} rows that were asked for"
    if not packing.packs_per_step:
        return "the trainer takes as many packs a step as hold about the rows that were asked for"
    return (
        f"a step takes {packing.packs_per_step} packs, about {packing.rows_per_step:.0f} rows for the {rows_per_step} "
        "that were asked for, so that the learning rate stays; the trainer counts exactly"
    )
