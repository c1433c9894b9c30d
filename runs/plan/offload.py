"""What offloading to main memory takes and gives: less on the GPUs, more beside them, and time. Pure.

The time is a lower bound by arithmetic, not a measurement: what must cross the bus to each GPU, and what a CPU must
read and write for Adam. DeepSpeed overlaps some of it; small pieces (as in Llama-X's configuration, which allows
nothing to stay on the GPU) make it take several times as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runs.plan.memory import Sharding
    from runs.spec.train import Train

# PCI Express 4.0 x16 moves 32 GB/s on paper; assumed on the low side of what copies of large pieces reach.
_BUS_BYTES_PER_SECOND = 20e9
# Eight channels of DDR4-3200 move 205 GB/s on paper; half of it is assumed.
_MEMORY_BYTES_PER_SECOND = 100e9
# Adam reads and writes weight and both moments in 32 bits (24), reads the gradient (4), writes the weight in 16 bits.
_ADAM_BYTES = 30
# DeepSpeed 0.19, `estimate_zero2_model_states_mem_needs` and `estimate_zero3_model_states_mem_needs`, with their factor
# for buffers.
_OPTIMIZER_BYTES, _ALL_BYTES, BUFFER_FACTOR = 16, 18, 1.5


@dataclass(frozen=True, slots=True)
class Offload:
    """What offloading does to one machine.

    Attributes:
        main_memory_bytes: Main memory of a machine for what the GPUs do not hold, without buffers.
        step_seconds: What each optimizer step takes longer, at the least.
    """

    main_memory_bytes: int
    step_seconds: float


def offload_of(
    parameters: int, trained: int, gpus: int, sharding: Sharding, train: Train, *, nodes: int = 1
) -> Offload | None:
    """Work out what a way of sharding does that offloads; None for one that does not, or without GPUs.

    Args:
        parameters: Of the model.
        trained: How many of them are trained.
        gpus: How many share the states.
        sharding: The way.
        train: The trainer's flags.
        nodes: Machines that the GPUs are on, each with a share of the work beside them.
    """
    if not gpus or not (sharding.offloads_optimizer or sharding.offloads_parameters):
        return None
    passes = train.gradient_accumulation_steps
    # Gradients go down after each pass, and the weights come back up once.
    moved = 2 * trained / gpus * (passes + 1)
    memory = _OPTIMIZER_BYTES * trained
    if sharding.offloads_parameters:
        # Forward, backward, and forward once more where activations are recomputed.
        moved += 2 * parameters / gpus * passes * (3 if train.gradient_checkpointing else 2)
        memory = _ALL_BYTES * trained + 2 * (parameters - trained)
    adam = _ADAM_BYTES * trained / nodes / _MEMORY_BYTES_PER_SECOND
    return Offload(memory // nodes, moved / _BUS_BYTES_PER_SECOND + adam)
