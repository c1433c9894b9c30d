"""What makes a run this run: a checkpoint of another base model or other data is never gone on from. Pure.

Only what would make the result wrong counts. A learning rate or a number of epochs may be changed on the way: what was
trained so far stays what it is.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# What decides the model and how text becomes tokens; a README may come and go.
_BASE_FILES = ("config.json", "tokenizer*", "special_tokens_map.json", "*.safetensors", "*.bin", "*.model")
_SAMPLE_BYTES = 1 << 20
_WORDS = {
    "base": "the base model",
    "data": "the data",
    "longest_row": "--model_max_length",
    "prompt_format": "--prompt_format",
    "seed": "--seed",
    "zero_stage": "the ZeRO stage",
    "precision": "the precision",
    "packing": "--packing",
    "lora": "--lora",
}


def identify(
    *,
    base: str,
    data: str,
    longest_row: int,
    prompt_format: str,
    seed: int,
    zero_stage: int,
    precision: str,
    packing: str | None = None,
    lora: str = "none",
) -> dict[str, Any]:
    """Give what a manifest says about its run.

    Args:
        base: Folder of the base model, or its name on the hub.
        data: The data file.
        longest_row: Tokens at which a row is cut.
        prompt_format: How a row becomes text.
        seed: What the order of the rows comes from.
        zero_stage: DeepSpeed's ZeRO stage, 0 without.
        precision: What is trained in.
        packing: How rows are laid into batches; None where the machine is to choose.
        lora: The adapters that are trained, or none.
    """
    return {
        "base": _base(base),
        "data": _digest(Path(data)),
        "longest_row": longest_row,
        "prompt_format": prompt_format,
        "seed": seed,
        "zero_stage": zero_stage,
        "precision": precision,
        "packing": packing,
        "lora": lora,
    }


def differences(run: Mapping[str, Any], recorded: Mapping[str, Any]) -> str:
    """Say in what `recorded` differs, empty when in nothing; what either does not tell counts as equal."""
    shared = [name for name in _WORDS if run.get(name) is not None and recorded.get(name) is not None]
    return ", ".join(_told(name, run[name], recorded[name]) for name in shared if run[name] != recorded[name])


def _told(name: str, now: object, then: object) -> str:
    # Digests tell a reader nothing.
    return _WORDS[name] if name in {"base", "data"} else f"{_WORDS[name]} (then {then}, now {now})"


def _base(name: str) -> str:
    """A digest of the folder's configuration and of samples of its weights: reading 13 GB takes too long."""
    folder = Path(name)
    if not folder.is_dir():
        return name
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _BASE_FILES for path in folder.glob(pattern) if path.is_file()}):
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            digest.update(file.read(_SAMPLE_BYTES))
            file.seek(max(0, size - _SAMPLE_BYTES))
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def _digest(path: Path) -> str | None:
    """The data's SHA-256; None where it is not there, which others complain of."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
