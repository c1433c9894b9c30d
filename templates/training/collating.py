"""Rows of a batch become tensors: padded to its longest, or one after the other with positions that begin anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import DataCollatorForSeq2Seq, DataCollatorWithFlattening

from templates.training import row_attention
from templates.training.packing import UNPADDED, Packing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from transformers import PreTrainedTokenizerBase

Feature = dict[str, list[int]]


def collator_for(
    packing: Packing, tokenizer: PreTrainedTokenizerBase, attention: str
) -> Callable[[list[Feature]], dict[str, Any]]:
    """Give what makes a batch of rows.

    Args:
        packing: How rows are laid into a batch.
        tokenizer: Has the padding token.
        attention: FlashAttention and our own take the rows' lengths; the others read them from the positions.
    """
    if packing not in UNPADDED:
        return DataCollatorForSeq2Seq(tokenizer)
    flatten = DataCollatorWithFlattening(return_flash_attn_kwargs="flash" in attention)

    def collate(features: list[Feature]) -> dict[str, Any]:
        rows = [row for feature in features for row in _rows(feature)]
        lengths = {row_attention.LENGTHS: [len(row["input_ids"]) for row in rows]}
        return {**flatten(rows), **(lengths if attention == row_attention.NAME else {})}

    return collate


def _rows(feature: Feature) -> Iterator[Feature]:
    """The rows of a pack; a row that was not packed is one by itself."""
    place = 0
    for length in feature.get("seq_lengths") or [len(feature["input_ids"])]:
        yield {name: feature[name][place : place + length] for name in ("input_ids", "labels")}
        place += length
