"""What adapters are in figures: how many parameters, and what a frozen base takes of a GPU. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runs.plan.memory import Sharding
    from runs.plan.model_shape import ModelShape
    from runs.spec.lora import Lora
    from runs.spec.train import Train

# Of LLaMA-7B, adapters of rank 16 on every linear module are 0.6 %; of other families about as much.
_SHARE_OF_RANK_16 = 0.01
# Dettmers et al. 2023, section 3: 4 bits, and 0.127 for the constants when those are quantised, too.
_NF4_BYTES = (4 + 0.127) / 8


def trained_parameters(train: Train, parameters: int, shape: ModelShape | None) -> int:
    """Give how many parameters are trained: all, or those of the adapters (rank x (inputs + outputs) for each module).

    Where the model's shape or a module's name tells nothing, a share of 1 % for rank 16 stands in.
    """
    lora = train.adapters
    if lora is None:
        return parameters
    sizes = None if shape is None else _module_sizes(shape)
    names = tuple(sizes or ()) if lora.target_modules == "all-linear" else lora.target_modules
    if shape is None or sizes is None or not all(name in sizes for name in names):
        return round(parameters * _SHARE_OF_RANK_16 * lora.r / 16)
    adapters = shape.layers * lora.r * sum(sum(sizes[name]) for name in names)
    embeddings = sum(name in {"embed_tokens", "lm_head"} for name in lora.modules_to_save)
    return adapters + embeddings * shape.vocabulary * shape.hidden


def frozen_bytes(parameters: int, gpus: int, sharding: Sharding, lora: Lora) -> int:
    """Give the bytes that a frozen base takes on each GPU: whole, or under ZeRO-3 a share of it."""
    whole = round(parameters * (2 if lora.quantize == "none" else _NF4_BYTES))
    if sharding.offloads_parameters:
        return 0
    return whole // gpus if sharding.stage == 3 else whole


def _module_sizes(shape: ModelShape) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of each linear module of a layer."""
    hidden, wide = shape.hidden, shape.feed_forward
    narrow = hidden * shape.key_value_heads // shape.heads
    return {
        "q_proj": (hidden, hidden),
        "k_proj": (hidden, narrow),
        "v_proj": (hidden, narrow),
        "o_proj": (hidden, hidden),
        "gate_proj": (hidden, wide),
        "up_proj": (hidden, wide),
        "down_proj": (wide, hidden),
    }
