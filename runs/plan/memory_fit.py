"""Does a run fit into a GPU's memory: as it is, and under every other way of sharding it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from runs.plan.adapters import frozen_bytes
from runs.plan.disk import GIB
from runs.plan.memory import COMPARED, RUNTIME_BYTES, Sharding, activation_bytes, state_bytes

if TYPE_CHECKING:
    from runs.plan.model_shape import ModelShape
    from runs.plan.sizes import Gpu
    from runs.spec.train import Train

# Beyond this share the estimate is no promise any more.
_TIGHT_SHARE = 0.92
# Lengths of rows are told in whole steps of this many tokens.
_TOKEN_STEP, _MOST_TOKENS = 256, 1_048_576


class Fit(StrEnum):
    """How well something fits; the value is the word that the user reads."""

    FITS = "fits"
    TIGHT = "tight"
    TOO_LARGE = "does not fit"


@dataclass(frozen=True, slots=True)
class StageFit:
    """What one way of sharding takes on each GPU.

    Attributes:
        words: Its name.
        taken_bytes: Everything, with the activations where the model's shape is known.
        fit: How well that fits.
        longest_tokens: The longest rows that fit with the same number of rows in a pass, at most 1,048,576; None when
            the model's shape is unknown.
    """

    words: str
    taken_bytes: int
    fit: Fit
    longest_tokens: int | None


@dataclass(frozen=True, slots=True)
class MemoryFit:
    """What a run takes on each GPU.

    Attributes:
        gpu_gb: Memory of the GPU, as it is sold.
        states_bytes: Weights, gradients and optimizer state.
        activations_bytes: Activations at their peak; None when the model's shape is unknown.
        runtime_bytes: What the libraries take.
        fit: How well the sum fits.
        stages: Every way of sharding, the run's own among them.
    """

    gpu_gb: int
    states_bytes: int
    activations_bytes: int | None
    runtime_bytes: int
    fit: Fit
    stages: tuple[StageFit, ...]

    @property
    def taken_bytes(self) -> int:
        """The sum, without the activations when they are unknown."""
        return self.states_bytes + (self.activations_bytes or 0) + self.runtime_bytes


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Who shares what on which GPU.

    Attributes:
        parameters: Parameters of the model.
        shape: Its shape; None when it is unknown, which leaves the activations out.
        train: The trainer's flags.
        gpu: The GPU.
        gpus: How many share the states.
        trained: Parameters that are trained; None for all.
    """

    parameters: int
    shape: ModelShape | None
    train: Train
    gpu: Gpu
    gpus: int
    trained: int | None = None


def memory_fit(use: MemoryUse, sharding: Sharding) -> MemoryFit:
    """Work out what a run takes on each GPU, sharded as it asks for, and what the other ways would take."""
    states = _states(use, sharding)
    activations = None if use.shape is None else activation_bytes(use.shape, use.train, use.train.model_max_length)
    taken = states + (activations or 0) + RUNTIME_BYTES
    compared = COMPARED if sharding in COMPARED else (sharding, *COMPARED)
    stages = tuple(_stage(use, one) for one in compared)
    return MemoryFit(use.gpu.memory_gb, states, activations, RUNTIME_BYTES, _fit(taken, use.gpu), stages)


def _states(use: MemoryUse, sharding: Sharding) -> int:
    largest = use.shape.largest_layer if use.shape else 0
    if use.trained is None or use.train.adapters is None:
        return state_bytes(use.parameters, use.gpus, sharding, largest)
    frozen = frozen_bytes(use.parameters, use.gpus, sharding, use.train.adapters)
    return frozen + state_bytes(use.trained, use.gpus, sharding, largest)


def _stage(use: MemoryUse, sharding: Sharding) -> StageFit:
    fixed = _states(use, sharding) + RUNTIME_BYTES
    if use.shape is None:
        return StageFit(sharding.words, fixed, _fit(fixed, use.gpu), None)
    taken = fixed + activation_bytes(use.shape, use.train, use.train.model_max_length)
    longest = _longest(use.shape, use.train, use.gpu.memory_gb * 1e9 * _TIGHT_SHARE - fixed)
    return StageFit(sharding.words, taken, _fit(taken, use.gpu), longest)


def _longest(shape: ModelShape, train: Train, free_bytes: float) -> int:
    """Activations grow with the length of the rows in a straight line."""
    tokens = max(0.0, free_bytes) / activation_bytes(shape, train, 1)
    return min(_MOST_TOKENS, int(tokens) // _TOKEN_STEP * _TOKEN_STEP)


def _fit(taken: int, gpu: Gpu) -> Fit:
    """Memory is sold in GB and counted in GiB: between the two it is tight, beyond it cannot be."""
    if taken <= gpu.memory_gb * 1e9 * _TIGHT_SHARE:
        return Fit.FITS
    return Fit.TIGHT if taken <= gpu.memory_gb * GIB else Fit.TOO_LARGE
