"""The whole model out of a checkpoint's shards, by DeepSpeed's own converter."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import torch


def consolidated(checkpoint: Path, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Give the weights that a complete checkpoint's optimizer holds in fp32, rounded to `dtype`.

    DeepSpeed makes its 16-bit weights from the fp32 ones in the same way, so that the result has the bits of a gathered
    model. The shards stay on the disk (they are mapped into memory, and tensors put together one at a time): what is
    held in memory is the model in `dtype` and one tensor in fp32.

    Raises:
        OSError, ValueError, RuntimeError: The checkpoint is not whole.
    """
    from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint

    lazy = get_fp32_state_dict_from_zero_checkpoint(str(checkpoint), lazy_mode=True)
    weights: dict[str, torch.Tensor] = {}
    seen: dict[int, str] = {}
    for name, tensor in lazy.items():
        # Tied weights are one tensor under two names, and stay one.
        if same := seen.get(id(tensor)):
            weights[name] = weights[same]
            continue
        seen[id(tensor)] = name
        whole = tensor.contiguous()
        weights[name] = whole.to(dtype) if whole.is_floating_point() else whole
    return weights
