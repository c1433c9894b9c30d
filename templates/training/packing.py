"""How rows are laid into the slots of a batch. Pure; the planner and the trainer choose alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# none: rows of a batch are padded to its longest, as in the recipe. group_by_length: the same with rows of like length
# together. flat: a batch's rows one after the other without any padding. The others are TRL's ways to fill packs.
Packing = Literal["none", "group_by_length", "flat", "bfd", "bfd_split", "wrapped"]
PACKINGS: tuple[Packing, ...] = ("none", "group_by_length", "flat", "bfd", "bfd_split", "wrapped")
# Several rows become one, so that a step has other rows than without.
PACKED = frozenset({"bfd", "bfd_split", "wrapped"})
# Long rows go on in another pack, where the others cut them at the longest length.
SPLITTING = frozenset({"bfd_split", "wrapped"})
# Without padding there is nothing that a mask could tell rows apart by: the attention goes by their positions.
UNPADDED = PACKED | {"flat"}
# Why `choose` chose it.
REASONS = {
    "flat": "rows one after the other need no padding, and each is attended to alone",
    "group_by_length": "this attention computes all rows of a batch against each other where they are not padded",
}


def choose(attention: str) -> Packing:
    """Choose what computes least without changing which rows an optimizer step sees.

    FlashAttention's variable lengths, and what `auto` takes where it is not installed (`row_attention`), cost for each
    row what its own tokens cost. The others compute more than the padding that grouping leaves (measured:
    `make bench NAME=throughput`).

    Args:
        attention: What was asked for.
    """
    return "flat" if attention == "auto" or attention.startswith("flash") else "group_by_length"


@dataclass(frozen=True, slots=True)
class PackBatch:
    """How many packs make up a step of one process, so that a step sees about as many rows as were asked for.

    Attributes:
        micro: Packs at a time.
        accumulation: How often.
        rows: Rows that a process then sees in a step, on average.
    """

    micro: int
    accumulation: int
    rows: float


def fit_packs(micro: int, accumulation: int, rows_per_pack: float) -> PackBatch:
    """Deal packs out so that the learning rate needs no change.

    Never more packs at a time than rows were asked for: a pack is as long as the longest row may be.

    Args:
        micro: Rows at a time that were asked for.
        accumulation: How often.
        rows_per_pack: Rows in a pack, on average.
    """
    packs = max(1, round(micro * accumulation / rows_per_pack))
    at_once = max(size for size in range(1, min(micro, packs) + 1) if packs % size == 0)
    return PackBatch(at_once, packs // at_once, packs * rows_per_pack)
