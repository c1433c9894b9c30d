"""What the machine under the trainer can do, as plain values that the pure parts are given."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from typing import Literal

Precision = Literal["fp32", "bf16", "fp16"]

_REPORTERS = ("wandb", "tensorboard")
# Without one of these a processor only emulates bfloat16: measured 13 times slower than float32 (AVX2, one thread).
_CPU_BF16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


@dataclass(frozen=True, slots=True)
class Hardware:
    """What decides how flags and DeepSpeed settings are translated.

    Attributes:
        gpus: GPUs that torch can use; 0 trains on the CPU over gloo.
        bf16: Trains in bfloat16, and gains by it.
        fp16: Trains in float16.
        tf32: Multiplies in TF32.
        reporters: Experiment trackers that are installed.
        wandb_key: Weights & Biases knows who we are (a key in the environment, or a mode was chosen there).
        flash_attention: Transformers' name of the FlashAttention that is installed and runs here; empty without one.
        liger: Liger's fused kernels are installed and run here.
        bitsandbytes: Weights can be kept in 4 bits.
    """

    gpus: int
    bf16: bool
    fp16: bool
    tf32: bool
    reporters: frozenset[str]
    wandb_key: bool
    flash_attention: str = ""
    liger: bool = False
    bitsandbytes: bool = False


def probe() -> Hardware:
    """Look at this machine."""
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    ampere = gpus > 0 and torch.cuda.get_device_capability() >= (8, 0)
    return Hardware(
        gpus=gpus,
        bf16=ampere if gpus else any(torch.cpu.get_capabilities().get(name) for name in _CPU_BF16),
        # DeepSpeed refuses fp16 on every CPU but those with avx512_fp16; bf16 trains better there anyway.
        fp16=gpus > 0,
        tf32=ampere,
        reporters=frozenset(name for name in _REPORTERS if importlib.util.find_spec(name)),
        wandb_key=any(os.environ.get(name) for name in ("WANDB_API_KEY", "WANDB_MODE")),
        flash_attention=_flash_attention() if ampere else "",
        liger=ampere and importlib.util.find_spec("liger_kernel") is not None,
        bitsandbytes=gpus > 0 and importlib.util.find_spec("bitsandbytes") is not None,
    )


def _flash_attention() -> str:
    from transformers.utils import is_flash_attn_2_available, is_flash_attn_3_available

    return "flash_attention_3" if is_flash_attn_3_available() else "flash_attention_2" * is_flash_attn_2_available()
