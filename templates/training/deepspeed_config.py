"""A DeepSpeed configuration, adapted to the machine. Pure; every change leaves a note."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from templates.training.hardware import Hardware, Precision

# DeepSpeed 0.19, runtime/zero/config.py: `reduce_bucket_size` where it is not given.
_BUCKET_ELEMENTS = 500_000_000


@dataclass(frozen=True, slots=True)
class Adapted:
    """A configuration that this machine can run.

    Attributes:
        config: The adapted copy.
        notes: One sentence for each change that the user would want to know of.
    """

    config: dict[str, Any]
    notes: tuple[str, ...]


def zero_stage(config: dict[str, Any] | None) -> int:
    """Give the ZeRO stage, 0 without one."""
    return int(((config or {}).get("zero_optimization") or {}).get("stage", 0))


def adapt(config: dict[str, Any], hardware: Hardware, precision: Precision) -> Adapted:
    """Adapt a configuration to the machine and to the precision that the flags ended up with."""
    adapted = copy.deepcopy(config)
    notes = [
        *_fit_precision(adapted, precision),
        *_drop_offload(adapted, hardware),
        *_use_torch_adam(adapted),
        *_fuse_adam(adapted, hardware),
        *_gather_on_save(adapted),
    ]
    return Adapted(config=adapted, notes=tuple(notes))


def fit_buckets(config: dict[str, Any], trained: int) -> tuple[str, ...]:
    """Make the bucket of gradients no larger than all gradients; what is sent stays the same.

    ZeRO-1 and ZeRO-2 allocate the whole bucket, twice with `overlap_comm`: 2 GB of each GPU for the default, of which
    adapters fill a tenth (seen on an H200: LoRA of a 7B model ran out of memory in `setup_buckets`).
    """
    zero = config.get("zero_optimization") or {}
    size = zero.get("reduce_bucket_size", _BUCKET_ELEMENTS)
    if zero_stage(config) not in {1, 2} or size == "auto" or size <= trained:
        return ()
    zero["reduce_bucket_size"] = trained
    return (f"DeepSpeed's reduce_bucket_size is {trained:,} instead of {int(size):,}: there are no more gradients",)


def _fit_precision(config: dict[str, Any], precision: Precision) -> list[str]:
    """The flags win: the Trainer refuses a configuration that says otherwise."""
    notes = []
    for name in ("fp16", "bf16"):
        section = config.setdefault(name, {})
        asked, wanted = section.get("enabled", "auto"), name == precision
        section["enabled"] = wanted
        if asked not in {"auto", wanted}:
            notes.append(f"DeepSpeed's {name}.enabled is {str(wanted).lower()}: training runs in {precision}")
    return notes


def _drop_offload(config: dict[str, Any], hardware: Hardware) -> list[str]:
    zero = config.get("zero_optimization") or {}
    offloads = [name for name in ("offload_optimizer", "offload_param") if (zero.get(name) or {}).get("device")]
    if hardware.gpus or not offloads:
        return []
    for name in offloads:
        del zero[name]
    return [f"DeepSpeed's {' and '.join(offloads)} left out: there is no GPU memory to spare"]


def _use_torch_adam(config: dict[str, Any]) -> list[str]:
    """DeepSpeed's own Adam is compiled on first use: minutes, and a compiler that matches torch's CUDA."""
    optimizer = config.get("optimizer") or {}
    zero = config.get("zero_optimization") or {}
    params = optimizer.get("params", {})
    if optimizer.get("type") not in {"Adam", "AdamW"} or "torch_adam" in params:
        return []
    if (zero.get("offload_optimizer") or {}).get("device"):
        # An offloaded optimizer must be DeepSpeed's own CPU Adam.
        return []
    optimizer["params"] = {**params, "torch_adam": True}
    return [f"torch's {optimizer['type']} instead of DeepSpeed's own, which would be compiled here first"]


def _fuse_adam(config: dict[str, Any], hardware: Hardware) -> list[str]:
    """DeepSpeed hands torch's AdamW the parameters that it does not know itself."""
    params = (config.get("optimizer") or {}).get("params", {})
    if not hardware.gpus or params.get("torch_adam") is not True or "fused" in params:
        return []
    params["fused"] = True
    return ["the optimizer updates a share's weights in one fused kernel (torch's AdamW)"]


def _gather_on_save(config: dict[str, Any]) -> list[str]:
    zero = config.get("zero_optimization") or {}
    key = "stage3_gather_16bit_weights_on_model_save"
    if zero_stage(config) != 3 or zero.get(key) is True:
        return []
    if zero.get(key) is False:
        return [f"DeepSpeed's {key} is false: the final model is put together from the last checkpoint"]
    zero[key] = True
    return [f"DeepSpeed's {key} is true: the final model is gathered from the GPUs"]
