"""How large the base model is, without loading it: from its files' headers, a short table, or the run file's word."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.spec.sources import HubSource, LocalSource, parse_source

if TYPE_CHECKING:
    from pathlib import Path

    from runs.spec.load import LoadedRunFile

# Parameters as the safetensors headers on the Hub count them.
_KNOWN_MODELS = {
    "baffo32/decapoda-research-llama-7b-hf": 6_738_415_616,
    "huggyllama/llama-13b": 13_015_864_320,
    "huggyllama/llama-30b": 32_528_943_616,
    "huggyllama/llama-65b": 65_285_660_672,
    "huggyllama/llama-7b": 6_738_415_616,
    "meta-llama/llama-2-13b-hf": 13_015_864_320,
    "meta-llama/llama-2-70b-hf": 68_976_648_192,
    "meta-llama/llama-2-7b-hf": 6_738_415_616,
    "meta-llama/llama-3.1-8b": 8_030_261_248,
    "meta-llama/meta-llama-3-8b": 8_030_261_248,
    "tinyllama/tinyllama-1.1b-chat-v1.0": 1_100_048_384,
}

# A safetensors header lists every tensor; the largest models' are a few hundred kilobytes.
_MOST_HEADER_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class ModelSize:
    """How large a model is.

    Attributes:
        parameters: Number of parameters.
        weight_bytes: Bytes of its weights as they are stored at the source.
        basis: Where the number of parameters comes from, in words.
    """

    parameters: int
    weight_bytes: int
    basis: str


def known_models() -> dict[str, int]:
    """Give the parameters of every model of the table, by its lower-case name on the Hub."""
    return dict(_KNOWN_MODELS)


def model_size(loaded: LoadedRunFile) -> ModelSize | None:
    """Find out how large the run's base model is; None when nothing tells."""
    spec = loaded.spec.model
    source = parse_source(spec.source)
    if not isinstance(source, LocalSource):
        given = spec.parameters_billion
        known = _KNOWN_MODELS.get(source.repository.lower()) if isinstance(source, HubSource) else None
        if given is not None:
            return _half_precision(round(given * 1e9), "model.parameters_billion")
        return None if known is None else _half_precision(known, "known model")
    folder = loaded.resolve(source.path)
    weight_bytes = sum(file.stat().st_size for file in _weight_files(folder))
    if spec.parameters_billion is not None:
        return ModelSize(round(spec.parameters_billion * 1e9), weight_bytes, "model.parameters_billion")
    counted = _count(folder)
    return None if counted is None else ModelSize(counted, weight_bytes, "counted in the weight files")


def _half_precision(parameters: int, basis: str) -> ModelSize:
    return ModelSize(parameters, 2 * parameters, basis)


def _weight_files(folder: Path) -> list[Path]:
    for pattern in ("*.safetensors", "pytorch_model*.bin"):
        if files := sorted(folder.glob(pattern)):
            return files
    return []


def _count(folder: Path) -> int | None:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        return None
    try:
        return sum(parameters_in(file) for file in files)
    except (OSError, ValueError, KeyError, TypeError):
        # Not a safetensors file after all; the caller asks for the number instead.
        return None


def parameters_in(file: Path) -> int:
    """Count the parameters in a safetensors file from its header (8 bytes of length, then JSON).

    Raises:
        ValueError: It is not a safetensors file.
    """
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > _MOST_HEADER_BYTES:
            raise ValueError(f"not a safetensors file: {file}")
        header = json.loads(stream.read(length))
    return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
