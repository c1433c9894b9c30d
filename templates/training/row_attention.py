"""PyTorch's attention for rows that lie one after the other, row by row: no pair of tokens of two rows is computed.

Transformers' own `sdpa` computes each row of such a batch against all of them and masks what does not belong together:
its work grows with the square of the whole line. FlashAttention's variable lengths do what this does in one kernel; it
is used where it is installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from templates.training.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedConfig

NAME = "sdpa_rows"
# What a batch calls the rows' lengths: whole numbers beside its tensors, so that no layer has to ask the GPU for them.
LENGTHS = "row_lengths"


def register() -> str:
    """Make it known to Transformers; give its name."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, _mask)
    return NAME


def serves(config: PreTrainedConfig) -> bool:
    """Whether `sdpa` computes a row of the model without a mask: all earlier tokens count, each by its own score."""
    masked = ("sliding_window", "attention_chunk_size", "attn_logit_softcapping")
    return all(getattr(config, name, None) is None for name in masked)


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    row_lengths: Sequence[int] | None = None,
    **kwargs: Any,  # noqa: ANN401 - what Transformers hands its attentions
) -> tuple[torch.Tensor, None]:
    """Compute the attention of each row alone.

    Args:
        module: The attention layer.
        query: Of shape (1, heads, tokens of all rows, width); `key` and `value` perhaps with fewer heads.
        key: Keys.
        value: Values.
        attention_mask: None while training.
        row_lengths: Tokens of each row; None outside training.
        kwargs: For `sdpa`.

    Returns:
        A tensor of shape (1, tokens of all rows, heads, width), and no weights.

    Raises:
        DataError: While training, the model's code did not hand the lengths on: rows would see each other.
    """
    if row_lengths is None:
        if module.training:
            raise DataError(f"the model's code does not tell its attention the rows' lengths: {type(module).__name__}")
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    parts = zip(*(states.split(list(row_lengths), dim=2) for states in (query, key, value)), strict=True)
    return torch.cat([sdpa_attention_forward(module, *part, None, **kwargs)[0] for part in parts], dim=1), None


def _mask(*args: Any, attention_mask: torch.Tensor | None = None, **kwargs: Any) -> torch.Tensor | None:  # noqa: ANN401
    """No mask for rows without padding: each is causal by itself."""
    if attention_mask is None:
        return None
    return sdpa_mask(*args, attention_mask=attention_mask, **kwargs)
