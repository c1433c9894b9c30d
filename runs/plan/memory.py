"""GPU memory: what the model's states take on each GPU, whatever the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runs.plan.deepspeed_lint import Lint


def state_bytes_per_gpu(parameters: int, gpus: int, config: Lint) -> int:
    """Give the bytes of weights, gradients and optimizer state on one GPU, without activations: a lower bound.

    Formula (mixed precision, Adam; ZeRO paper, table 1): 2 bytes of weights, 2 of gradients and 12 of optimizer state
    per parameter; stage 1 shards the optimizer state, stage 2 the gradients too, stage 3 all. What is offloaded is
    not counted.
    """
    weights = 0 if config.offloads_parameters else 2 / (gpus if config.stage >= 3 else 1)
    gradients = 2 / (gpus if config.stage >= 2 else 1)
    optimizer = 0 if config.offloads_optimizer else 12 / (gpus if config.stage >= 1 else 1)
    return round(parameters * (weights + gradients + optimizer))
