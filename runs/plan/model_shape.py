"""The shape of a model of the LLaMA family: what its activations are counted from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runs.spec.sources import HubSource, LocalSource, parse_source

if TYPE_CHECKING:
    from pathlib import Path

    from runs.spec.load import LoadedRunFile


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The sizes of a decoder with a gated feed-forward block.

    Attributes:
        hidden: Width.
        layers: Number of layers.
        feed_forward: Width of the feed-forward block.
        vocabulary: Number of tokens.
        heads: Attention heads.
        key_value_heads: Heads of keys and values; fewer with grouped-query attention.
    """

    hidden: int
    layers: int
    feed_forward: int
    vocabulary: int
    heads: int
    key_value_heads: int

    @property
    def parameters(self) -> int:
        """Parameters that this shape has, with separate input and output embeddings."""
        kept = self.hidden * self.hidden
        attention = 2 * kept + 2 * kept * self.key_value_heads // self.heads
        layer = attention + 3 * self.hidden * self.feed_forward + 2 * self.hidden
        return 2 * self.vocabulary * self.hidden + self.layers * layer + self.hidden

    @property
    def largest_layer(self) -> int:
        """Parameters of the largest single module: what ZeRO-3 has whole on a GPU at a time."""
        return max(self.vocabulary * self.hidden, self.hidden * self.feed_forward)


_LLAMA_7B = ModelShape(4096, 32, 11008, 32000, 32, 32)
_LLAMA_13B = ModelShape(5120, 40, 13824, 32000, 40, 40)
_LLAMA_3_8B = ModelShape(4096, 32, 14336, 128_256, 32, 8)

# From the config.json of each on the Hub.
_KNOWN_SHAPES = {
    "baffo32/decapoda-research-llama-7b-hf": _LLAMA_7B,
    "huggyllama/llama-13b": _LLAMA_13B,
    "huggyllama/llama-30b": ModelShape(6656, 60, 17920, 32000, 52, 52),
    "huggyllama/llama-65b": ModelShape(8192, 80, 22016, 32000, 64, 64),
    "huggyllama/llama-7b": _LLAMA_7B,
    "meta-llama/llama-2-13b-hf": _LLAMA_13B,
    "meta-llama/llama-2-70b-hf": ModelShape(8192, 80, 28672, 32000, 64, 8),
    "meta-llama/llama-2-7b-hf": _LLAMA_7B,
    "meta-llama/llama-3.1-8b": _LLAMA_3_8B,
    "meta-llama/meta-llama-3-8b": _LLAMA_3_8B,
    "tinyllama/tinyllama-1.1b-chat-v1.0": ModelShape(2048, 22, 5632, 32000, 32, 4),
}


def known_shapes() -> dict[str, ModelShape]:
    """Give the shape of every model of the table, by its lower-case name on the Hub."""
    return dict(_KNOWN_SHAPES)


def model_shape(loaded: LoadedRunFile) -> ModelShape | None:
    """Find out the shape of a run's base model: from its `config.json`, or the table; None when nothing tells."""
    source = parse_source(loaded.spec.model.source)
    if isinstance(source, HubSource):
        return _KNOWN_SHAPES.get(source.repository.lower())
    if not isinstance(source, LocalSource):
        return None
    return _read(loaded.resolve(source.path) / "config.json")


def _read(config: Path) -> ModelShape | None:
    try:
        return _shape(json.loads(config.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        # Another family names its sizes otherwise; then the plan says that it does not know.
        return None


def _shape(config: dict[str, Any]) -> ModelShape:
    heads = int(config["num_attention_heads"])
    return ModelShape(
        int(config["hidden_size"]),
        int(config["num_hidden_layers"]),
        int(config["intermediate_size"]),
        int(config["vocab_size"]),
        heads,
        int(config.get("num_key_value_heads") or heads),
    )
