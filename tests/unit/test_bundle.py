from __future__ import annotations

import hashlib
import io
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from templates.transfer.bundle import (
    BIG_FILE_BYTES,
    BundleError,
    CutShortError,
    DamagedError,
    Item,
    digest_of,
    give,
    look,
    part_name,
    take,
)

if TYPE_CHECKING:
    from pathlib import Path

contents = st.dictionaries(
    st.text("abc-\n é", min_size=1, max_size=8).filter(lambda name: name not in {".", ".."}),
    st.binary(max_size=300),
    max_size=6,
)


def _written(folder: Path, files: dict[str, bytes]) -> list[tuple[Path, Item]]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [(folder / name, Item(name, 0, len(data), 0o644)) for name, data in files.items()]


def _read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} if folder.is_dir() else {}


@given(contents)
@settings(max_examples=40, deadline=None)
def test_a_bundle_carries_any_files(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    """What is given is taken, whatever the names and sizes, and nothing else is left."""
    folder = tmp_path_factory.mktemp("bundle")
    sources = _written(folder / "here", files)
    stream = io.BufferedReader(io.BytesIO(b"".join(give(sources))))
    items = [item for _, item in sources]
    take(stream, items, folder / "there", stage=folder / "there" / "stage")
    assert _read(folder / "there") == files
    assert not (folder / "there" / "stage").exists()


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_cut_stream_keeps_what_is_whole_and_can_go_on(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Cut anywhere: whole files are in place, none is partly there, and going on from what is staged ends well."""
    files = {"a": b"a" * 100, "b": b"", "c": b"c" * 200}
    folder = tmp_path_factory.mktemp("cut")
    sources = _written(folder / "here", files)
    whole = b"".join(give(sources))
    cut = data.draw(st.integers(0, len(whole) - 1))
    there, stage = folder / "there", folder / "there" / "stage"
    items = [item for _, item in sources]
    with pytest.raises(CutShortError):
        take(io.BytesIO(whole[:cut]), items, there, stage=stage)
    assert all(files[name] == content for name, content in _read(there).items())
    sizes = look(there, stage, [item.path for item in items])["sizes"]
    left = [
        (source, item._replace(start=staged or 0))
        for (source, item), (in_place, staged) in zip(sources, sizes, strict=True)
        if in_place is None
    ]
    take(io.BytesIO(b"".join(give(left))), [item for _, item in left], there, stage=stage)
    assert _read(there) == files


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    """A damaged file never gets its name, and its staged bytes are dropped; those before it stay."""
    sources = _written(tmp_path / "here", {"a": b"good", "b": b"bad"})
    stream = bytearray(b"".join(give(sources)))
    stream[4 + 32] ^= 1
    there, stage = tmp_path / "there", tmp_path / "there" / "stage"
    with pytest.raises(DamagedError, match="'b'"):
        take(io.BytesIO(bytes(stream)), [item for _, item in sources], there, stage=stage)
    assert _read(there) == {"a": b"good"}
    assert not (stage / part_name("b")).exists()


def test_what_was_expected_counts(tmp_path: Path) -> None:
    """A file that arrives as it was sent, but is not the expected one, is refused."""
    sources = _written(tmp_path / "here", {"a": b"other"})
    wanted = {"a": hashlib.sha256(b"this").hexdigest()}
    with pytest.raises(DamagedError, match="expected"):
        take(
            io.BytesIO(b"".join(give(sources))), [sources[0][1]], tmp_path / "there",
            stage=tmp_path / "stage", expected=wanted,
        )  # fmt: skip
    assert not (tmp_path / "there" / "a").exists()


def test_big_files_go_on_within_themselves(tmp_path: Path) -> None:
    """The staged beginning is not sent again, and still counts for the digest."""
    content = os.urandom(BIG_FILE_BYTES + 5)
    ((source, item),) = _written(tmp_path / "here", {"big": content})
    stage = tmp_path / "there" / "stage"
    stage.mkdir(parents=True)
    (stage / part_name("big")).write_bytes(content[:1_000_000])
    rest = item._replace(start=1_000_000)
    stream = b"".join(give([(source, rest)]))
    assert len(stream) == len(content) - 1_000_000 + 32
    take(io.BytesIO(stream), [rest], tmp_path / "there", stage=stage)
    assert (tmp_path / "there" / "big").read_bytes() == content


def test_a_file_that_changes_is_not_given(tmp_path: Path) -> None:
    """Shorter, longer, or no regular file at all: told by name, before its digest could make it look right."""
    ((source, item),) = _written(tmp_path, {"a": b"12345"})
    for other in (item._replace(size=4), item._replace(size=6)):
        with pytest.raises(BundleError, match="'a'"):
            list(give([(source, other)]))
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(BundleError, match="regular"):
        list(give([(fifo, item)]))


def test_a_taker_that_was_overtaken_places_nothing(tmp_path: Path) -> None:
    """A process whose client vanished must not put files in place once a newer one has begun."""
    sources = _written(tmp_path / "here", {"a": b"1", "b": b"2"})
    there, stage = tmp_path / "there", tmp_path / "there" / "stage"

    class Overtaken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            (stage / "owner").write_bytes(b"somebody else")
            return super().read(size)

    with pytest.raises(BundleError, match="taken over"):
        take(Overtaken(b"".join(give(sources))), [item for _, item in sources], there, stage=stage)
    assert _read(there) == {}


def test_digests_of_beginnings(tmp_path: Path) -> None:
    """The digest of a prefix, and None for what is shorter, missing or no regular file."""
    (tmp_path / "a").write_bytes(b"abcdef")
    assert digest_of(tmp_path / "a", 3) == hashlib.sha256(b"abc").hexdigest()
    assert digest_of(tmp_path / "a", 7) is None
    assert digest_of(tmp_path / "missing", 0) is None
    assert digest_of(tmp_path, 0) is None
