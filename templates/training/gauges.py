"""What a training measures of itself, added to what the Trainer logs: so that every tracker gets the same figures.

`metrics.jsonl`, TensorBoard and Weights & Biases are all told by the Trainer's own callbacks (`--report_to`, `Report`).
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from templates.training.flops import Shape, peak_operations_per_second
from templates.training.gpu_seen import gpus_seen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from transformers import PreTrainedModel, TrainingArguments

    from templates.training.trainer import LiftTrainer

# What this module adds to a logged step, beside what the Trainer logs itself.
NAMES = (
    "tokens_per_second",
    "mfu",
    "data_wait_seconds",
    "save_seconds",
    "gpu_memory_bytes",
    "gpu_utilization_percent",
    "gpu_power_watts",
)


class Gauges(TrainerCallback):
    """Counts since the last logged step. Rank 0's counts stand for every rank's: the sampler deals rows out evenly."""

    def __init__(self, trainer: LiftTrainer, run_folder: Path | None) -> None:
        """Measure `trainer`; the agent's look at the GPUs is in `run_folder`, where this rank is the one that tells."""
        self._trainer = trainer
        self._run_folder = run_folder
        # Sums on the device, so that no step waits for a figure: tokens, and the squares of the rows' lengths.
        self._sums = torch.zeros(2, dtype=torch.int64, device=trainer.args.device)
        self._shape = shape_of(trainer.model)
        self._peak = _peak(trainer.args)
        self._mark = (time.monotonic(), [0, 0])
        self.waited_seconds = 0.0
        self._saved_seconds = 0.0

    def count(self, inputs: Mapping[str, torch.Tensor]) -> None:
        """Count what a micro batch holds."""
        self._sums += torch.stack(tokens_and_pairs(inputs)).to(self._sums.device)

    def on_train_begin(self, *_args: object, **_kwargs: object) -> None:
        """Start measuring."""
        self._mark = (time.monotonic(), self._sums.tolist())

    def on_save(self, *_args: object, **_kwargs: object) -> None:
        """Remember what the save took."""
        self._saved_seconds += self._trainer.last_save[1]

    def figures(self) -> dict[str, float]:
        """Everything since the last call: what is not known here (MFU without a known GPU) is left out."""
        began, before = self._mark
        self._mark = now, counts = (time.monotonic(), self._sums.tolist())
        tokens, pairs = (after - earlier for after, earlier in zip(counts, before, strict=True))
        saved, waited = self._saved_seconds, self.waited_seconds
        self._saved_seconds = self.waited_seconds = 0.0
        # A save is not training: it has a figure of its own.
        seconds = max(now - began - saved, 1e-9)
        figures = {
            "tokens_per_second": round(tokens * self._trainer.args.world_size / seconds, 1),
            "data_wait_seconds": round(waited, 4),
            "save_seconds": round(saved, 3),
            **(gpus_seen(self._run_folder) if self._run_folder else {}),
        }
        if self._peak is not None:
            # Every rank has done the same on a GPU of its own.
            figures["mfu"] = round(self._shape.operations(tokens, pairs) / seconds / self._peak, 4)
        return figures


def tokens_and_pairs(inputs: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Real tokens of a batch, and the sum of the squares of the lengths of the texts in it, packed or not.

    A text of n tokens has positions 0 to n-1, and the sum of 2p+1 over them is n squared.
    """
    ids, mask = inputs["input_ids"], inputs.get("attention_mask")
    # A mask of more dimensions (packed rows) says who sees whom, and no row has padding then.
    real = mask.to(torch.int64) if mask is not None and mask.dim() == ids.dim() else torch.ones_like(ids)
    positions = inputs.get("position_ids")
    if positions is None:
        positions = real.cumsum(-1) - 1
    return real.sum(), ((2 * positions + 1) * real).sum()


def shape_of(model: PreTrainedModel) -> Shape:
    """What of a model decides its operations; a configuration that does not say leaves attention out."""
    config = model.config
    weights = {id(weight): weight for weight in model.parameters()}
    embeddings = model.get_input_embeddings()
    if embeddings is not None and not getattr(config, "tie_word_embeddings", False):
        weights.pop(id(embeddings.weight), None)
    heads, width = getattr(config, "num_attention_heads", 0), getattr(config, "hidden_size", 0)
    head = getattr(config, "head_dim", None) or (width // heads if heads else 0)
    return Shape(
        weights=sum(_size(weight) for weight in weights.values()),
        trainable=sum(_size(weight) for weight in weights.values() if weight.requires_grad),
        layers=getattr(config, "num_hidden_layers", 0),
        width=heads * head,
    )


def _size(weight: torch.nn.Parameter) -> int:
    """How many weights a parameter has: whole where ZeRO-3 shares it out, unpacked where two share a byte."""
    whole = math.prod(getattr(weight, "ds_shape", weight.shape))
    return 2 * whole * weight.element_size() if type(weight).__name__ == "Params4bit" else whole


def _peak(args: TrainingArguments) -> float | None:
    if args.device.type != "cuda":
        return None
    return peak_operations_per_second(torch.cuda.get_device_name(args.device), _precision(args))


def _precision(args: Any) -> str:  # noqa: ANN401 - two of the library's many fields
    return "bf16" if args.bf16 else "fp16" if args.fp16 else "fp32"
