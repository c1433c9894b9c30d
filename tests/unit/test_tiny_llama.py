"""The rehearsal's model is made without torch, the same for the same seed."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from typing import TYPE_CHECKING, Any

from templates.training.tiny_llama import write_tiny_llama

if TYPE_CHECKING:
    from pathlib import Path


def weights(folder: Path) -> tuple[dict[str, Any], bytes]:
    """Read a safetensors file by its specification."""
    data = (folder / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def test_it_has_a_million_parameters(tmp_path: Path) -> None:
    """1,059,968 bfloat16 numbers, laid out without gap or overlap."""
    write_tiny_llama(tmp_path)
    header, body = weights(tmp_path)
    assert header.pop("__metadata__") == {"format": "pt"}
    assert sum(math.prod(tensor["shape"]) for tensor in header.values()) == 1_059_968
    offsets = sorted(tensor["data_offsets"] for tensor in header.values())
    assert [start for start, _ in offsets] == [0, *(end for _, end in offsets[:-1])]
    assert offsets[-1][1] == len(body) == 2 * 1_059_968


def test_the_weights_are_nearly_normal(tmp_path: Path) -> None:
    """Mean 0 and deviation 0.02, as LLaMA is initialised."""
    write_tiny_llama(tmp_path)
    header, body = weights(tmp_path)
    start, end = header["lm_head.weight"]["data_offsets"]
    values = [struct.unpack("<f", b"\0\0" + body[at : at + 2])[0] for at in range(start, end, 2)]
    mean = math.fsum(values) / len(values)
    assert abs(mean) < 1e-3
    assert math.isclose(math.sqrt(math.fsum(v * v for v in values) / len(values)), 0.02, rel_tol=0.02)


def test_a_seed_chooses_the_bytes(tmp_path: Path) -> None:
    """The same seed gives the same bytes on every system, another seed other ones."""
    digests = []
    for number, seed in enumerate((0, 0, 1)):
        write_tiny_llama(tmp_path / str(number), seed)
        digests.append(hashlib.sha256((tmp_path / str(number) / "model.safetensors").read_bytes()).hexdigest())
    assert digests[0] == digests[1] != digests[2]
    assert digests[0] == "8fe6d5fd1ceec6e58e46aa719d733832d6b54a6f5c2c2fb3598e3cc12543db84"


def test_the_folder_is_whole(tmp_path: Path) -> None:
    """All that AutoModel and AutoTokenizer ask for is there, and the tokenizer has as many words as the model."""
    write_tiny_llama(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    words = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    assert len(words) == json.loads((tmp_path / "config.json").read_text())["vocab_size"]
