from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remote.errors import TransferError
from remote.safetensors import check_index, check_safetensors, check_weights

if TYPE_CHECKING:
    from pathlib import Path

SIZES = {"F32": 4, "BF16": 2, "I8": 1, "F64": 8}


def _file(path: Path, header: object, body: bytes) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


def _tensors(shapes: list[tuple[str, list[int]]]) -> tuple[dict[str, Any], bytes]:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for index, (dtype, shape) in enumerate(shapes):
        size = SIZES[dtype]
        for length in shape:
            size *= length
        header[f"t{index}"] = {"dtype": dtype, "shape": shape, "data_offsets": [position, position + size]}
        position += size
    return header, bytes(position)


shapes = st.lists(st.tuples(st.sampled_from(sorted(SIZES)), st.lists(st.integers(0, 5), max_size=3)), max_size=6)


@given(shapes, st.integers(0, 2))
@settings(max_examples=60)
def test_whole_files_pass_and_cut_ones_do_not(
    tmp_path_factory: pytest.TempPathFactory, given_shapes: list[tuple[str, list[int]]], padding: int
) -> None:
    """Every well-formed file is accepted; the same file with bytes cut off or added is not."""
    folder = tmp_path_factory.mktemp("safetensors")
    header, body = _tensors(given_shapes)
    path = _file(folder / "a.safetensors", json.dumps(header).encode() + b" " * padding, body)
    assert len(check_safetensors(path)) == len(given_shapes)
    whole = path.read_bytes()
    for damaged in (whole + b"\0", whole[:-1], whole[:7], whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(TransferError):
            check_safetensors(path)


@given(st.binary(max_size=200))
def test_rubbish_is_a_clear_error(tmp_path_factory: pytest.TempPathFactory, rubbish: bytes) -> None:
    """Any bytes at all give either tensors or a TransferError, never another exception."""
    path = tmp_path_factory.mktemp("rubbish") / "a.safetensors"
    path.write_bytes(rubbish)
    try:
        check_safetensors(path)
    except TransferError:
        return


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 7]},
        {"dtype": "F33", "shape": [2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [True, 2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]},
        {"dtype": "F32", "shape": [2], "data_offsets": [0]},
        {"dtype": "F32", "shape": 2, "data_offsets": [0, 8]},
        {"shape": [2], "data_offsets": [0, 8]},
        [],
        None,
    ],
)
def test_impossible_tensors_are_refused(tmp_path: Path, entry: object) -> None:
    """Sizes, types and offsets must agree."""
    with pytest.raises(TransferError):
        check_safetensors(_file(tmp_path / "a.safetensors", {"t": entry}, bytes(8)))


@pytest.mark.parametrize("header", [b"[]", b"{", b' {"a":1}', b'{"t":1,"t":1}', b"[" * 100_000, b'{"__metadata__":1}'])
def test_headers_that_are_none_are_refused(tmp_path: Path, header: bytes) -> None:
    """What is no object of distinct names is no header, however deep it nests."""
    with pytest.raises(TransferError):
        check_safetensors(_file(tmp_path / "a.safetensors", header, b""))


def test_holes_and_overlaps_are_refused(tmp_path: Path) -> None:
    """The tensors fill the file without gap or overlap."""
    for offsets in ([[0, 4], [8, 12]], [[0, 8], [4, 12]]):
        header = {
            f"t{index}": {"dtype": "I8", "shape": [end - begin], "data_offsets": [begin, end]}
            for index, (begin, end) in enumerate(offsets)
        }
        with pytest.raises(TransferError):
            check_safetensors(_file(tmp_path / "a.safetensors", header, bytes(12)))


def _sharded(folder: Path) -> dict[str, str]:
    header, body = _tensors([("F32", [2])])
    _file(folder / "model-00001-of-00002.safetensors", {"a": header["t0"]}, body)
    _file(folder / "model-00002-of-00002.safetensors", {"b": header["t0"]}, body)
    return {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}


def _index(folder: Path, weight_map: object) -> Path:
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return path


def test_a_sharded_model_is_whole_with_all_its_shards(tmp_path: Path) -> None:
    """Every shard that the index names is there, with the tensors that it says."""
    weight_map = _sharded(tmp_path)
    assert check_index(_index(tmp_path, weight_map)) == tuple(sorted(weight_map.values()))
    check_weights(tmp_path, ["model.safetensors.index.json", *weight_map.values(), "config.json"])


@pytest.mark.parametrize(
    "change",
    [
        {"c": "model-00001-of-00002.safetensors"},
        {"a": "model-00002-of-00002.safetensors"},
        {"c": "model-00003-of-00003.safetensors"},
        {"c": "../model-00001-of-00002.safetensors"},
    ],
)
def test_an_index_that_promises_more_than_its_shards_is_refused(tmp_path: Path, change: dict[str, str]) -> None:
    """A missing shard, a missing tensor, a tensor in another shard, a path elsewhere: not whole."""
    weight_map = _sharded(tmp_path)
    with pytest.raises(TransferError):
        check_index(_index(tmp_path, weight_map | change))


@pytest.mark.parametrize("document", ["{", "[]", '{"weight_map": []}', "null"])
def test_an_unreadable_index_is_a_clear_error(tmp_path: Path, document: str) -> None:
    """Whatever the index holds, the answer is a TransferError."""
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(document)
    with pytest.raises(TransferError):
        check_index(path)
