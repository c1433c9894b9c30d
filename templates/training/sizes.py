"""How large checkpoints and models are. Pure; shared by the planner's disk arithmetic and the trainer's space check."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from templates.training.hardware import Precision

# Bytes per parameter of one whole checkpoint, all ranks together: Adam's fp32 master weights and two moments (12), the
# model file (2 or 4), and under ZeRO-1/2 the weights once more in DeepSpeed's model states; without DeepSpeed the
# master weights are the model file. Measured at a million parameters to within 1 %, beside small files of 0.2 MB.
_BYTES_PER_PARAMETER = {("16-bit", "zero3"): 14, ("16-bit", "zero12"): 16}
_FULL = {"zero3": 16, "zero12": 20}
_WITHOUT_DEEPSPEED = 12
_OVERHEAD_BYTES = 2 << 20


def checkpoint_bytes(parameters: int, zero_stage: int, precision: Precision) -> int:
    """Estimate the bytes of one checkpoint on disk; `zero_stage` 0 is training without DeepSpeed's ZeRO."""
    if zero_stage == 0:
        return parameters * _WITHOUT_DEEPSPEED + _OVERHEAD_BYTES
    stage = "zero3" if zero_stage == 3 else "zero12"
    per = _FULL[stage] if precision == "fp32" else _BYTES_PER_PARAMETER["16-bit", stage]
    return parameters * per + _OVERHEAD_BYTES


def model_bytes(parameters: int, precision: Precision) -> int:
    """Estimate the bytes of the final model with its tokenizer."""
    return parameters * (4 if precision == "fp32" else 2) + 2 * _OVERHEAD_BYTES
