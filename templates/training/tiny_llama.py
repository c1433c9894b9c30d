"""A LLaMA of a million parameters, untrained, for rehearsals. Standard library only: the client makes it without torch.

The same seed gives the same bytes on every system: weights come from SHAKE-256, not from a random module, and are
looked up in a table, not computed by the system's own logarithm.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
import sys
from array import array
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_HIDDEN, _LAYERS, _HEADS, _FEED_FORWARD, _VOCABULARY, _POSITIONS = 128, 4, 4, 352, 1000, 2048
_DEVIATION = 0.02
_BYTES_SUMMED = 4
_BFLOAT16_ONE = 0x3F80
_MAX_BYTE = 255

_CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": _HIDDEN,
    "intermediate_size": _FEED_FORWARD,
    "num_hidden_layers": _LAYERS,
    "num_attention_heads": _HEADS,
    "num_key_value_heads": _HEADS,
    "hidden_act": "silu",
    "max_position_embeddings": _POSITIONS,
    "vocab_size": _VOCABULARY,
    "initializer_range": _DEVIATION,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "torch_dtype": "bfloat16",
}
_GENERATION = {"bos_token_id": 1, "eos_token_id": 2, "do_sample": False}
_TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "model_max_length": _POSITIONS,
    "clean_up_tokenization_spaces": False,
}


def write_tiny_llama(folder: Path, seed: int = 0) -> None:
    """Write a model folder that AutoModelForCausalLM and AutoTokenizer load; no padding token, as in LLaMA's own.

    Args:
        folder: Made when it is not there; files in it are replaced.
        seed: Chooses the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("config.json", _CONFIG),
        ("generation_config.json", _GENERATION),
        ("tokenizer_config.json", _TOKENIZER),
    ):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    shipped = files("templates.training") / "tiny" / "tokenizer.json"
    (folder / "tokenizer.json").write_bytes(shipped.read_bytes())
    (folder / "model.safetensors").write_bytes(_safetensors(_shapes(), seed))


def _shapes() -> dict[str, tuple[int, ...]]:
    """Name every tensor of LlamaForCausalLM with its shape."""
    square, wide, tall = (_HIDDEN, _HIDDEN), (_FEED_FORWARD, _HIDDEN), (_HIDDEN, _FEED_FORWARD)
    layer: dict[str, tuple[int, ...]] = {
        **{f"self_attn.{name}_proj.weight": square for name in "qkvo"},
        "mlp.gate_proj.weight": wide,
        "mlp.up_proj.weight": wide,
        "mlp.down_proj.weight": tall,
        "input_layernorm.weight": (_HIDDEN,),
        "post_attention_layernorm.weight": (_HIDDEN,),
    }
    return {
        "model.embed_tokens.weight": (_VOCABULARY, _HIDDEN),
        **{f"model.layers.{number}.{name}": shape for number in range(_LAYERS) for name, shape in layer.items()},
        "model.norm.weight": (_HIDDEN,),
        "lm_head.weight": (_VOCABULARY, _HIDDEN),
    }


def _safetensors(shapes: dict[str, tuple[int, ...]], seed: int) -> bytes:
    """Lay tensors out as safetensors does: header length, JSON header padded to 8 bytes, then the tensors."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    body = bytearray()
    for name, shape in sorted(shapes.items()):
        data = _ones(shape) if len(shape) == 1 else _normal(shape, f"{seed}/{name}")
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(body)


def _ones(shape: tuple[int, ...]) -> bytes:
    return struct.pack("<H", _BFLOAT16_ONE) * math.prod(shape)


def _normal(shape: tuple[int, ...], name: str) -> bytes:
    """Draw nearly normal weights: the sum of four random bytes, scaled to the deviation, for each weight."""
    count = math.prod(shape)
    noise = hashlib.shake_256(name.encode()).digest(_BYTES_SUMMED * count)
    columns = (noise[start::_BYTES_SUMMED] for start in range(_BYTES_SUMMED))
    table = _bfloat16_by_sum()
    weights = array("H", [table[sum(parts)] for parts in zip(*columns, strict=True)])
    if sys.byteorder == "big":
        weights.byteswap()
    return weights.tobytes()


def _bfloat16_by_sum() -> list[int]:
    """Give the upper half of the float32 for each sum of the bytes, which is its bfloat16."""
    mean = _BYTES_SUMMED * _MAX_BYTE / 2
    # A uniform byte has the variance (256² - 1) / 12.
    scale = _DEVIATION / math.sqrt(_BYTES_SUMMED * ((_MAX_BYTE + 1) ** 2 - 1) / 12)
    sums = range(_BYTES_SUMMED * _MAX_BYTE + 1)
    return [struct.unpack("<I", struct.pack("<f", (total - mean) * scale))[0] >> 16 for total in sums]
