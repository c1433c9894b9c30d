"""GPU memory: the model's states as DeepSpeed shards them, and the activations of one pass. Estimates, rounded up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runs.plan.model_shape import ModelShape
    from runs.spec.train import Train

# What the CUDA context, NCCL's buffers and the allocator's gaps take on each GPU; from experience, on the long side.
RUNTIME_BYTES = 3_000_000_000


@dataclass(frozen=True, slots=True)
class Sharding:
    """How DeepSpeed spreads the model's states.

    Attributes:
        stage: ZeRO stage, 0 to 3.
        offloads_optimizer: Optimizer state lives outside GPU memory.
        offloads_parameters: Weights live outside GPU memory; ZeRO-3 only.
    """

    stage: int
    offloads_optimizer: bool = False
    offloads_parameters: bool = False

    @property
    def words(self) -> str:
        """`ZeRO-3`, `ZeRO-2 + offload`, `ZeRO-3 + offload all`."""
        offload = " + offload all" if self.offloads_parameters else " + offload" if self.offloads_optimizer else ""
        return f"ZeRO-{self.stage}{offload}"


# What `plan` compares: each stage, and what offloading would save.
COMPARED = (
    Sharding(1),
    Sharding(2),
    Sharding(3),
    Sharding(2, offloads_optimizer=True),
    Sharding(3, offloads_optimizer=True),
    Sharding(3, offloads_optimizer=True, offloads_parameters=True),
)


def state_bytes(parameters: int, gpus: int, sharding: Sharding, largest_layer: int = 0) -> int:
    """Give the bytes of weights, gradients and optimizer state on one GPU, in mixed precision under Adam.

    Formula: DeepSpeed 0.19, `estimate_zero2_model_states_mem_needs` and `estimate_zero3_model_states_mem_needs`.
    Stage 2: 2 bytes of weights per parameter, and 18 sharded (2 of gradients, 4 of gradients in 32 bits, 4 of weights
    in 32 bits, 8 of moments). Stage 3: 18 sharded, and 4 for each parameter of the largest layer. Stage 1, which they
    leave out, has the 2 of gradients whole and 16 sharded; stage 0 has all 20 whole.
    """
    match sharding.stage:
        case 0:
            return 20 * parameters
        case 1:
            return 4 * parameters + (0 if sharding.offloads_optimizer else 16 * parameters // gpus)
        case 2:
            return 2 * parameters + (0 if sharding.offloads_optimizer else 18 * parameters // gpus)
    whole = 4 * largest_layer
    if sharding.offloads_optimizer:
        return whole + (0 if sharding.offloads_parameters else 2 * parameters // gpus)
    return whole + 18 * parameters // gpus


def activation_bytes(shape: ModelShape, train: Train, tokens: int) -> int:
    """Give the bytes of one pass's activations on one GPU, at their peak.

    Formula: Korthikanti et al. 2022, "Reducing Activation Recomputation in Large Transformer Models", section 4,
    counted for a gated feed-forward block without dropout and for attention that never stores its scores (PyTorch's
    scaled dot product): 16 bytes for each unit of the width and 8 for each of the feed-forward block, per token and
    layer. Recomputation keeps 2 bytes of each layer's input, and one layer whole while it is recomputed. The output
    takes 14 bytes per token and word of the vocabulary: logits in 16 and in 32 bits, their log-probabilities and the
    gradient. The output's peak is over before the first layer is recomputed.

    Args:
        shape: The model.
        train: The trainer's flags.
        tokens: Tokens of a row.
    """
    slots = train.per_device_train_batch_size * tokens
    layer = slots * (16 * shape.hidden + 8 * shape.feed_forward)
    output = 14 * slots * shape.vocabulary
    if train.gradient_checkpointing:
        return 2 * slots * shape.hidden * shape.layers + max(layer, output)
    return layer * shape.layers + output
