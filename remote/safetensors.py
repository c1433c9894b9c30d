"""Proof that weights are whole without loading them: safetensors headers, and the index of a sharded model.

The format (the safetensors README, "Format"): 8 bytes N as an unsigned little-endian integer, N bytes of JSON beginning
with `{` that give each tensor's `dtype`, `shape` and `data_offsets` [begin, end) in the rest of the file, then the
tensors, without holes and without anything after them. `__metadata__` is a map of text to text.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from remote.errors import TransferError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

INDEX_SUFFIX = ".safetensors.index.json"
# The reference implementation refuses larger headers as well.
_MAX_HEADER_BYTES = 100_000_000
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E5M2FNUZ": 8, "F8_E4M3FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64,
    "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor as its header describes it; offsets count from the end of the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def check_safetensors(path: Path) -> tuple[Tensor, ...]:
    """The tensors of a file, in the order in which they lie in it.

    Raises:
        TransferError: The file is not whole: its header is damaged, or its tensors do not fill it exactly.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(_MAX_HEADER_BYTES, size - 8):
            raise _damaged(path, f"its header cannot be {length} bytes long in a file of {size}")
        header = file.read(length)
    tensors = sorted(_tensors(path, header), key=lambda tensor: (tensor.begin, tensor.end))
    position = 0
    for tensor in tensors:
        if tensor.begin != position:
            raise _damaged(path, f"a hole or an overlap before {tensor.name!r}")
        position = tensor.end
    if position != size - 8 - length:
        raise _damaged(path, f"its tensors end at {position} of {size - 8 - length} bytes")
    return tuple(tensors)


def check_index(path: Path) -> tuple[str, ...]:
    """The shards that an `*.safetensors.index.json` names; all of them are there, with exactly the tensors it says.

    Raises:
        TransferError: A shard or a tensor is missing, is in another shard, or the index cannot be read.
    """
    try:
        weight_map = json.loads(path.read_bytes())["weight_map"]
        wanted = {str(name): str(shard) for name, shard in weight_map.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path, "its index cannot be read") from error
    shards = tuple(sorted(set(wanted.values())))
    found: dict[str, str] = {}
    for shard in shards:
        if "/" in shard or shard in {"", ".", ".."} or not (path.parent / shard).is_file():
            raise _damaged(path, f"a shard is missing: {shard!r}")
        found |= {tensor.name: shard for tensor in check_safetensors(path.parent / shard)}
    if wrong := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        raise _damaged(path, f"{len(wrong)} tensors are not where its index says, first: {wrong[0]!r}")
    return shards


def check_weights(folder: Path, paths: Sequence[str]) -> None:
    """Open every safetensors header and index among `paths` (relative to `folder`).

    Raises:
        TransferError: One of them is damaged or incomplete.
    """
    for path in paths:
        if path.endswith(".safetensors"):
            check_safetensors(folder / path)
        elif path.endswith(INDEX_SUFFIX):
            check_index(folder / path)


def _tensors(path: Path, header: bytes) -> list[Tensor]:
    try:
        if not header.startswith(b"{"):
            raise ValueError("it is no object")
        entries: dict[str, Any] = json.loads(header, object_pairs_hook=_without_duplicates)
        if not isinstance(entries.pop("__metadata__", {}), dict):
            raise ValueError("its metadata are no object")  # noqa: TRY004
        return [_tensor(name, entry) for name, entry in entries.items()]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path, f"its header cannot be read ({error})") from error


def _tensor(name: str, entry: Mapping[str, Any]) -> Tensor:
    shape = tuple(_count(length) for length in entry["shape"])
    begin, end = (_count(offset) for offset in entry["data_offsets"])
    bits = math.prod(shape) * _BITS[entry["dtype"]]
    if bits != (end - begin) * 8:
        raise ValueError(f"{name!r} has {end - begin} bytes for shape {list(shape)} of {entry['dtype']}")
    return Tensor(name, entry["dtype"], shape, begin, end)


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"not a size or an offset: {value!r}")
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name occurs twice")
    return document


def _damaged(path: Path, why: str) -> TransferError:
    return TransferError(
        f"{path.name} is not whole, {why}: {path}", hint="collect it again with `llamalift collect RUN`"
    )
