"""What is wrong or worth knowing about a DeepSpeed config, before it costs an hour of GPU to find out. Pure.

A fault stops the run on the machine; a note does not. What the trainer adapts by itself is only noted.
Sources: Transformers 5.23 `HfTrainerDeepSpeedConfig` (which values must match the flags), DeepSpeed 0.19 config pages.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runs.plan.memory import Sharding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.spec.train import Train

# DeepSpeed ignores a key that it does not know without a word.
_KNOWN_KEYS = frozenset(
    [
        "activation_checkpointing", "aio", "amp", "autotuning", "bf16", "bfloat16", "checkpoint",
        "comms_logger", "communication_data_type", "compile", "compression_training", "csv_monitor",
        "curriculum_learning", "data_efficiency", "data_types", "disable_allgather", "dump_state",
        "eigenvalue", "elasticity", "flops_profiler", "fp16", "gradient_accumulation_steps",
        "gradient_clipping", "gradient_predivide_factor", "hybrid_engine", "memory_breakdown", "optimizer",
        "prescale_gradients", "scheduler", "seq_parallel_communication_data_type", "sparse_attention",
        "sparse_gradients", "steps_per_print", "tensor_parallel", "tensorboard", "torch_autocast",
        "train_batch_size", "train_micro_batch_size_per_gpu", "use_data_before_expert_parallelism",
        "wall_clock_breakdown", "wandb", "weight_quantization", "zero_allow_untested_optimizer",
        "zero_force_ds_cpu_optimizer", "zero_optimization",
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lint:
    """What a DeepSpeed config says, and what is wrong with it.

    Attributes:
        stage: ZeRO stage, 0 to 3.
        offloads_optimizer: Optimizer state lives outside GPU memory.
        offloads_parameters: Weights live outside GPU memory.
        faults: What would stop the run.
        notes: What is worth knowing.
    """

    stage: int
    offloads_optimizer: bool
    offloads_parameters: bool
    faults: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def sharding(self) -> Sharding:
        """How it spreads the model's states."""
        return Sharding(self.stage, self.offloads_optimizer, self.offloads_parameters)


def lint(text: bytes, train: Train, processes: int, *, gpus: int) -> Lint:
    """Read a DeepSpeed config against the flags that it is used with.

    Args:
        text: The JSON file.
        train: The trainer's flags.
        processes: Training processes.
        gpus: GPUs of the machine; 0 means that it trains on the CPU.
    """
    try:
        config = json.loads(text)
    except ValueError as error:
        return _unreadable(f"not JSON: {error}")
    if not isinstance(config, dict):
        return _unreadable("expected a JSON object")
    zero = _section(config, "zero_optimization")
    faults = (*_stage_faults(zero), *_mismatches(config, train, processes))
    notes = (*_unknown_keys(config), *_precision_notes(config, train), *_zero_notes(zero, gpus))
    stage = zero.get("stage") if zero.get("stage") in {0, 1, 2, 3} else 0
    return Lint(int(stage or 0), _offloads(zero, "optimizer"), _offloads(zero, "param"), faults, notes)


def _unreadable(fault: str) -> Lint:
    return Lint(stage=0, offloads_optimizer=False, offloads_parameters=False, faults=(fault,), notes=())


def _section(config: dict[str, Any], name: str) -> dict[str, Any]:
    section = config.get(name)
    return section if isinstance(section, dict) else {}


def _offloads(zero: dict[str, Any], what: str) -> bool:
    return _section(zero, f"offload_{what}").get("device") in {"cpu", "nvme"}


def _stage_faults(zero: dict[str, Any]) -> Iterator[str]:
    if zero.get("stage") not in {1, 2, 3}:
        yield f"expected zero_optimization.stage 1, 2 or 3, found: {zero.get('stage', 'nothing')}"


def _mismatches(config: dict[str, Any], train: Train, processes: int) -> Iterator[str]:
    """Yield what Transformers would refuse on the machine: numbers that differ from the flags."""
    micro, steps = train.per_device_train_batch_size, train.gradient_accumulation_steps
    optimizer = _section(_section(config, "optimizer"), "params")
    pairs = (
        ("train_micro_batch_size_per_gpu", config, micro, "train.per_device_train_batch_size"),
        ("gradient_accumulation_steps", config, steps, "train.gradient_accumulation_steps"),
        (
            "train_batch_size",
            config,
            processes * micro * steps,
            f"{processes} processes x {micro} rows x {steps} passes",
        ),
        ("gradient_clipping", config, _number(train, "max_grad_norm", 1.0), "train.max_grad_norm"),
        ("lr", optimizer, train.learning_rate, "train.learning_rate"),
        ("eps", optimizer, _number(train, "adam_epsilon", 1e-8), "train.adam_epsilon"),
        ("weight_decay", optimizer, _number(train, "weight_decay", 0.0), "train.weight_decay"),
    )
    for key, section, expected, reason in pairs:
        found = section.get(key, "auto")
        if found not in {"auto", expected}:
            where = key if section is config else f"optimizer.params.{key}"
            yield f'{where} must be {expected:g} ({reason}) or "auto", found: {found}'


def _number(train: Train, flag: str, default: float) -> float:
    value = train.flag(flag)
    return float(value) if isinstance(value, int | float) else default


def _unknown_keys(config: dict[str, Any]) -> Iterator[str]:
    for key in sorted(config.keys() - _KNOWN_KEYS):
        near = difflib.get_close_matches(key, _KNOWN_KEYS, n=1, cutoff=0.6)
        yield f"DeepSpeed ignores the unknown key {key}" + (f"; did you mean {near[0]}?" if near else "")


def _precision_notes(config: dict[str, Any], train: Train) -> Iterator[str]:
    for name in ("fp16", "bf16"):
        enabled = _section(config, name).get("enabled", "auto")
        if enabled != "auto" and bool(enabled) != (train.precision == name):
            wins = train.precision
            yield f"DeepSpeed's {name}.enabled is {str(enabled).lower()}; the flags say {wins}, and they win"


def _zero_notes(zero: dict[str, Any], gpus: int) -> Iterator[str]:
    gathers = zero.get("stage3_gather_16bit_weights_on_model_save")
    if zero.get("stage") == 3 and gathers is None:
        yield "stage3_gather_16bit_weights_on_model_save is set to true: the final model is gathered from the GPUs"
    if zero.get("stage") == 3 and gathers is False:
        yield (
            "stage3_gather_16bit_weights_on_model_save is false: checkpoints hold no model file, and the final model "
            "is put together from the last one"
        )
    offloads = [f"offload_{what}" for what in ("optimizer", "param") if _offloads(zero, what)]
    if offloads and not gpus:
        yield f"{' and '.join(offloads)} left out: there is no GPU memory to spare on a CPU"
