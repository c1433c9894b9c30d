"""The recipe's command line, translated to what today's Trainer and this machine can do. Pure.

Every translation leaves a note; nothing is dropped silently. A flag that neither we nor the Trainer know stays as it
is, so that the parser names it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

from templates.training import packing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from templates.training.hardware import Hardware, Precision

Flags = dict[str, list[str]]

_RENAMED = {
    "evaluation_strategy": "eval_strategy",
    "gradient_checkpointing": "activation_checkpointing",
    "gradient_checkpointing_kwargs": "activation_checkpointing_kwargs",
    "no_cuda": "use_cpu",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
    "push_to_hub_model_id": "hub_model_id",
    "push_to_hub_token": "hub_token",
    "warmup_ratio": "warmup_steps",
}
_GONE = {
    "dispatch_batches": "the library decides",
    "fp16_backend": "torch's own is the only one",
    "fp16_opt_level": "apex is gone",
    "half_precision_backend": "torch's own is the only one",
    "include_tokens_per_second": "metrics.jsonl always has tokens per second",
    "jit_mode_eval": "the library has no such mode any more",
    "logging_dir": "the tracker's own environment variable says where",
    "overwrite_output_dir": "a run goes on from its newest complete checkpoint",
    "past_index": "the library has no such mode any more",
    "save_safetensors": "models are always saved as safetensors",
    "sharded_ddp": "DeepSpeed does it",
    "split_batches": "the library decides",
    "tpu_num_cores": "there is no TPU",
    "use_ipex": "the library has no such mode any more",
    "use_mps_device": "the device is chosen from what is there",
    # Two of the Trainer's own ways that would save a damaged state or by another clock than ours.
    "enable_jit_checkpoint": "it saves a wrong state under DeepSpeed; SIGTERM always makes a checkpoint",
    "resume_from_checkpoint": "the newest complete checkpoint is always taken",
}
# Where the user says nothing: no progress bars in a log file, and a NaN is shown rather than averaged away.
# The rows of our data have the columns that training needs and no others.
_DEFAULTS = {"disable_tqdm": ["True"], "logging_nan_inf_filter": ["False"], "remove_unused_columns": ["False"]}
_TRUE = {"true", "1", "yes", "y", "t"}


class _Saving(TypedDict):
    save_steps: float | None
    save_limit: int | None
    saves: bool


@dataclass(frozen=True, slots=True)
class Translated:
    """A command line that today's Trainer takes.

    Attributes:
        argv: The flags.
        notes: One sentence for each change.
        precision: What it trains in.
        environment: Variables to set before a tracker is imported.
        save_steps: The `--save_steps` that was asked for (a count, or a share of the run below 1), or None.
        save_limit: The `--save_total_limit` that was asked for, or None; `--llamalift_keep` goes before it.
        saves: False when `--save_strategy no` asked for no checkpoints at all.
        chose_packing: Whether the machine was to choose `--packing`.
    """

    argv: tuple[str, ...]
    notes: tuple[str, ...]
    precision: Precision = "fp32"
    environment: Mapping[str, str] = field(default_factory=dict)
    save_steps: float | None = None
    save_limit: int | None = None
    saves: bool = True
    chose_packing: bool = False


def translate(argv: Sequence[str], hardware: Hardware) -> Translated:
    """Translate a command line.

    Raises:
        ValueError: When a word stands where no flag's value can be, or a number is none.
    """
    flags = _parse(argv)
    notes: list[str] = []
    _rename(flags, notes)
    saving = _take_saving(flags, notes)
    chose_packing = flags.get("packing") == ["auto"]
    environment: dict[str, str] = {}
    rules: tuple[Callable[[Flags, Hardware], str | None], ...] = (
        _evaluation, _half, _brain, _tf32, _device, _sampling, _packing, _kernels
    )  # fmt: skip
    notes += [note for rule in rules if (note := rule(flags, hardware))]
    notes += _trackers(flags, hardware, environment)
    for name, values in _DEFAULTS.items():
        flags.setdefault(name, values)
    return Translated(
        argv=_render(flags),
        notes=tuple(notes),
        precision=_precision(flags),
        environment=environment,
        chose_packing=chose_packing,
        **saving,
    )


def first_tracker(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Give the command line with one tracker at most, and the others: the Trainer takes several, its parser one."""
    flags = _parse(argv)
    first, further = flags.get("report_to", [])[:1], flags.get("report_to", [])[1:]
    return list(_render(flags | {"report_to": first})) if further else list(argv), further


def _parse(argv: Sequence[str]) -> Flags:
    flags: Flags = {}
    values: list[str] | None = None
    for word in argv:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            values = flags[name.replace("-", "_")] = [value] if equals else []
        elif values is None:
            raise ValueError(f"a flag must come first: {word}")
        else:
            values.append(word)
    return flags


def _render(flags: Flags) -> tuple[str, ...]:
    return tuple(word for name, values in flags.items() for word in (f"--{name}", *values))


def _precision(flags: Flags) -> Precision:
    return "bf16" if _on(flags, "bf16") else "fp16" if _on(flags, "fp16") else "fp32"


def _on(flags: Flags, name: str) -> bool:
    values = flags.get(name)
    return values is not None and (not values or values[0].lower() in _TRUE)


def _rename(flags: Flags, notes: list[str]) -> None:
    for old, reason in _GONE.items():
        if flags.pop(old, None) is not None:
            notes.append(f"--{old} is left out: {reason}")
    for old, new in _RENAMED.items():
        if old in flags:
            values = flags.pop(old)
            flags.setdefault(new, values)
            notes.append(f"--{old} is called --{new} today")


def _take_saving(flags: Flags, notes: list[str]) -> _Saving:
    """Take the saving flags away from the Trainer: our schedule decides when, and our pruning what stays."""
    strategy = flags.pop("save_strategy", ["steps"])
    steps, limit = flags.pop("save_steps", None), flags.pop("save_total_limit", None)
    flags["save_strategy"] = ["no"]
    if strategy == ["no"]:
        return {"save_steps": None, "save_limit": None, "saves": False}
    if strategy != ["steps"]:
        notes.append(f"checkpoints are saved by steps, not by --save_strategy {' '.join(strategy)}")
    if steps and "llamalift_schedule" not in flags:
        notes.append(f"--save_steps {steps[0]} is the widest save interval: it shrinks towards the end of the run")
    return {
        "save_steps": float(steps[0]) if steps else None,
        "save_limit": int(limit[0]) if limit and "llamalift_keep" not in flags else None,
        "saves": True,
    }


def _evaluation(flags: Flags, _hardware: Hardware) -> str | None:
    asked = flags.get("eval_strategy", ["no"])
    if asked == ["no"]:
        return None
    flags["eval_strategy"] = ["no"]
    return f"--eval_strategy {' '.join(asked)} is no here: the recipe has no evaluation data"


def _half(flags: Flags, hardware: Hardware) -> str | None:
    if hardware.fp16 or not _on(flags, "fp16"):
        return None
    flags["fp16"] = ["False"]
    if not hardware.bf16:
        return "--fp16 True trains in fp32 here: the processor does bf16 only slowly, and fp16 not at all"
    flags["bf16"] = ["True"]
    return "--fp16 True trains in bf16 here: the processor cannot do fp16"


def _brain(flags: Flags, hardware: Hardware) -> str | None:
    if hardware.bf16 or not _on(flags, "bf16"):
        return None
    flags["bf16"] = ["False"]
    if not hardware.fp16:
        return "--bf16 True trains in fp32 here: the processor does bf16 only slowly, and fp16 not at all"
    flags["fp16"] = ["True"]
    return "--bf16 True trains in fp16 here: this GPU is older than Ampere"


def _tf32(flags: Flags, hardware: Hardware) -> str | None:
    if hardware.tf32 or "tf32" not in flags:
        return None
    # Even --tf32 False is refused by the Trainer where there is no TF32.
    wanted = _on(flags, "tf32")
    del flags["tf32"]
    if not wanted:
        return None
    return "--tf32 True is left out: only GPUs from Ampere on have TF32"


def _device(flags: Flags, hardware: Hardware) -> str | None:
    if hardware.gpus or _on(flags, "use_cpu"):
        return None
    flags["use_cpu"] = ["True"]
    return "no GPU here: training runs on the CPU (--use_cpu True)"


def _sampling(flags: Flags, _hardware: Hardware) -> str | None:
    if "group_by_length" not in flags:
        return None
    grouped = _on(flags, "group_by_length")
    del flags["group_by_length"]
    if grouped:
        flags["train_sampling_strategy"] = ["group_by_length"]
    return "--group_by_length is called --train_sampling_strategy group_by_length today"


def _packing(flags: Flags, _hardware: Hardware) -> str | None:
    """Length grouping is the Trainer's own way to sample; both names for it come to the same."""
    note = None
    if flags.get("packing") == ["auto"]:
        chosen = packing.choose(flags.get("attention", ["auto"])[0])
        flags["packing"] = [chosen]
        note = f"--packing auto is {chosen} here: {packing.REASONS[chosen]}"
    if flags.get("packing") == ["group_by_length"]:
        flags["train_sampling_strategy"] = ["group_by_length"]
    elif flags.get("train_sampling_strategy") == ["group_by_length"] and flags.get("packing", ["none"]) == ["none"]:
        flags["packing"] = ["group_by_length"]
    return note


def _kernels(flags: Flags, hardware: Hardware) -> str | None:
    asked = "use_liger_kernel" in flags
    if _on(flags, "use_liger_kernel") and not hardware.liger:
        flags["use_liger_kernel"] = ["False"]
        return "--use_liger_kernel True is left out: Liger's kernels need an NVIDIA GPU from Ampere on"
    if asked or not hardware.liger:
        return None
    flags["use_liger_kernel"] = ["True"]
    return "Liger's fused kernels are used where they know the model (--use_liger_kernel False leaves them out)"


def _trackers(flags: Flags, hardware: Hardware, environment: dict[str, str]) -> list[str]:
    notes = []
    asked = flags.get("report_to", ["none"])
    missing = [name for name in asked if name in {"wandb", "tensorboard"} and name not in hardware.reporters]
    if missing:
        flags["report_to"] = [name for name in asked if name not in missing] or ["none"]
        notes.append(f"--report_to {' '.join(missing)} is left out: not installed on this machine")
    if "wandb" in flags.get("report_to", []) and not hardware.wandb_key:
        environment["WANDB_MODE"] = "offline"
        notes.append("no WANDB_API_KEY here: Weights & Biases writes offline, to be sent later with `wandb sync`")
    return notes
