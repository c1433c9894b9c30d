"""How rows will lie in their batches, and what that makes of steps and of the slots that are computed. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from runs.plan.steps import PADDED_FILL, rows_per_step, total_steps
from templates.training.packing import PACKED, Packing, choose, fit_packs

if TYPE_CHECKING:
    from runs.plan.steps import DataSize
    from runs.spec.train import Train

# Share of the slots that hold tokens. Padded and grouped: measured once with 1,200 rows of log-normal length;
# `make bench NAME=throughput` measures them anew. Packs are full but for a remainder.
FILL: dict[Packing, float] = {
    "none": PADDED_FILL, "group_by_length": 0.918, "flat": 1.0, "bfd": 0.99, "bfd_split": 0.99, "wrapped": 1.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PackingPlan:
    """How rows lie in their batches.

    Attributes:
        packing: The mode.
        is_chosen: Whether the plan chose it (`train.packing: auto`).
        fill: Share of the slots that should hold tokens.
        padded_fill: The same, were rows padded as in the recipe.
        rows_per_step: Rows that a step sees: exact unless rows are packed.
        packs_per_step: Packs that a step takes of all processes; 0 without packing, or when that is not known.
        steps: Optimizer steps; None when the data cannot be known before it is on the machine.
        is_exact: Whether the steps are: packs can only be counted once the rows are tokens.
        slots_per_row: Slots that one row takes, on average.
    """

    packing: Packing
    is_chosen: bool
    fill: float
    padded_fill: float
    rows_per_step: float
    packs_per_step: int
    steps: int | None
    is_exact: bool
    slots_per_row: float


def packing_plan(data: DataSize | None, train: Train, processes: int) -> PackingPlan:
    """Work out how rows will lie in their batches.

    Args:
        data: The data; None when it cannot be known before it is on the machine.
        train: The trainer's flags.
        processes: Training processes.
    """
    mode, longest, rows = _mode(train), train.model_max_length, rows_per_step(train, processes)
    fill, padded = FILL[mode], FILL["none"]
    chosen = train.packing == "auto"
    if data is None:
        return PackingPlan(mode, chosen, fill, padded, rows, 0, None, mode not in PACKED, longest)
    slots = min(longest, data.mean_tokens / fill)
    if mode not in PACKED:
        steps = total_steps(data.rows, train, processes)
        return PackingPlan(mode, chosen, fill, padded, rows, 0, steps, is_exact=True, slots_per_row=slots)
    rows_per_pack = max(1.0, longest * fill / data.mean_tokens)
    fitted = fit_packs(train.per_device_train_batch_size, train.gradient_accumulation_steps, rows_per_pack)
    flags = {
        "per_device_train_batch_size": fitted.micro,
        "gradient_accumulation_steps": fitted.accumulation,
    }
    steps = total_steps(math.ceil(data.rows / rows_per_pack), train.model_copy(update=flags), processes)
    # Of data that is not here the longest rows stand in: how many a pack holds is not known then.
    packs = 0 if data.mean_tokens >= longest else fitted.micro * fitted.accumulation * processes
    return PackingPlan(
        mode, chosen, fill, padded, fitted.rows * processes, packs, steps, is_exact=False, slots_per_row=slots
    )


def _mode(train: Train) -> Packing:
    """What a run will have, unless the model's code cannot keep rows apart: that is seen on the machine."""
    if train.packing == "auto":
        return choose(train.attention)
    if train.packing != "none":
        return cast("Packing", train.packing)
    if train.flag("group_by_length") is True:
        return "group_by_length"
    return "group_by_length" if train.flag("train_sampling_strategy") == "group_by_length" else "none"
