from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from templates.transfer import bundle
from templates.transfer.bundle import (
    BIG_FILE_BYTES,
    CELL_BYTES,
    CHUNK_BYTES,
    BundleError,
    CutShortError,
    DamagedError,
    Piece,
    Writeback,
    claim,
    digest_of,
    digests_of,
    give,
    is_hole,
    keep_hole,
    opened,
    part_path,
    pieces_of,
    place,
    take_verified,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

contents = st.dictionaries(
    st.text("abc-\n é", min_size=1, max_size=8).filter(lambda name: name not in {".", ".."}),
    st.binary(max_size=300),
    max_size=6,
)


def _written(folder: Path, files: dict[str, bytes]) -> list[Piece]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [piece for name, data in files.items() for piece in pieces_of(name, len(data), 0o644)]


def _stream(folder: Path, pieces: Iterable[Piece]) -> bytes:
    return b"".join(bytes(data) for piece in pieces for data in give(folder / piece.path, piece))


def _take(data: bytes, pieces: Iterable[Piece], stage: Path) -> None:
    stream = io.BufferedReader(io.BytesIO(data))
    for piece in pieces:
        take_verified(stream, piece, stage)


def _begin(there: Path, pieces: Iterable[Piece]) -> list[Piece]:
    """Claim the stage; the pieces with what is staged of them."""
    pieces = list(pieces)
    sizes = dict.fromkeys((piece.path, piece.size) for piece in pieces)
    found = claim(there, there / "stage", "token", list(sizes))["found"]
    counts = [found[piece.path][1][piece.start // CELL_BYTES] if piece.path in found else None for piece in pieces]
    return [piece._replace(done=count or 0) for piece, count in zip(pieces, counts, strict=True)]


def _end(there: Path, pieces: Iterable[Piece]) -> None:
    place(there, there / "stage", "token", files=list({(one.path, one.size, one.mode) for one in pieces}))


def _read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} if folder.is_dir() else {}


@given(contents)
@settings(max_examples=30, deadline=None)
def test_a_bundle_carries_any_files(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    """What is given is taken, whatever the names and sizes, and nothing else is left."""
    folder = tmp_path_factory.mktemp("bundle")
    pieces = _begin(folder / "there", _written(folder / "here", files))
    _take(_stream(folder / "here", pieces), pieces, folder / "there" / "stage")
    _end(folder / "there", pieces)
    assert _read(folder / "there") == files
    assert not (folder / "there" / "stage").exists()


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_cut_stream_can_go_on(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Cut anywhere: nothing is in place, every byte that came counts, and going on from there ends well."""
    files = {"a": b"a" * 100, "b": b"", "c": os.urandom(200), "d": os.urandom(CHUNK_BYTES + 100)}
    folder = tmp_path_factory.mktemp("cut")
    there = folder / "there"
    pieces = _begin(there, _written(folder / "here", files))
    whole = _stream(folder / "here", pieces)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(CutShortError):
        _take(whole[:cut], pieces, there / "stage")
    assert _read(there) == {}
    left = _begin(there, pieces)
    assert sum(piece.done for piece in left) >= cut - 32 * len(pieces)
    _take(_stream(folder / "here", left), left, there / "stage")
    _end(there, pieces)
    assert _read(there) == files


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    """A damaged file never gets its name, and its staged bytes are dropped."""
    there = tmp_path / "there"
    pieces = _begin(there, _written(tmp_path / "here", {"a": b"good", "b": b"bad"}))
    stream = bytearray(_stream(tmp_path / "here", pieces))
    stream[4 + 32] ^= 1
    with pytest.raises(DamagedError, match="'b'"):
        _take(bytes(stream), pieces, there / "stage")
    assert not Path(part_path(there / "stage", "b")).exists()
    with pytest.raises(OSError, match=os.strerror(errno.ENOENT)):
        _end(there, pieces)
    assert _read(there) == {}


def test_cells_arrive_in_any_order_and_go_on_within_themselves(tmp_path: Path) -> None:
    """The cells of a big file may come last first; a cut one continues at its byte; a damaged one is dropped alone."""
    content = os.urandom(BIG_FILE_BYTES + 5)
    here, there = tmp_path / "here", tmp_path / "there"
    pieces = _begin(there, _written(here, {"big": content}))
    assert [piece.length for piece in pieces] == [CELL_BYTES, CELL_BYTES, 5]
    last = _stream(here, pieces[2:])
    _take(last, pieces[2:], there / "stage")
    with pytest.raises(CutShortError):
        _take(_stream(here, pieces[1:2])[:1_000_001], pieces[1:2], there / "stage")
    first = bytearray(_stream(here, pieces[:1]))
    first[7] ^= 1
    with pytest.raises(DamagedError):
        _take(bytes(first), pieces[:1], there / "stage")
    left = _begin(there, pieces)
    assert [piece.done for piece in left] == [0, 1_000_001, 5]
    _take(_stream(here, left), left, there / "stage")
    _end(there, pieces)
    assert (there / "big").read_bytes() == content


def test_what_is_staged_for_a_file_of_another_size_is_forgotten(tmp_path: Path) -> None:
    """A file that changed its size begins anew, big or small."""
    there = tmp_path / "there"
    pieces = _begin(there, _written(tmp_path, {"big": bytes(BIG_FILE_BYTES), "small": b"12345"}))
    _take(_stream(tmp_path, pieces), pieces, there / "stage")
    other = [*pieces_of("big", BIG_FILE_BYTES + 1, 0o644), *pieces_of("small", 4, 0o644)]
    assert {piece.done for piece in _begin(there, other)} == {0}


def test_holes_are_seen_and_kept(tmp_path: Path) -> None:
    """A cell without data is a hole, and costs no byte on the other side either."""
    with (tmp_path / "sparse").open("wb") as file:
        file.seek(CELL_BYTES)
        file.write(b"data")
        file.truncate(3 * CELL_BYTES)
    pieces = pieces_of("sparse", 3 * CELL_BYTES, 0o644)
    with opened(tmp_path / "sparse") as source:
        if os.fstat(source.fileno()).st_blocks * 512 > CELL_BYTES:
            pytest.skip("needs a filesystem that keeps holes")
        assert [is_hole(source, piece) for piece in pieces] == [True, False, True]
    there = tmp_path / "there"
    _begin(there, pieces)
    for hole in (pieces[0], pieces[2]):
        keep_hole(hole, there / "stage")
    _take(_stream(tmp_path, pieces[1:2]), pieces[1:2], there / "stage")
    assert [piece.done for piece in _begin(there, pieces)] == [CELL_BYTES] * 3
    _end(there, pieces)
    assert (there / "sparse").read_bytes() == (tmp_path / "sparse").read_bytes()
    assert (there / "sparse").stat().st_blocks * 512 <= CELL_BYTES


def test_a_file_that_changes_is_not_given(tmp_path: Path) -> None:
    """Shorter, longer, touched since, or no regular file: told by name, before its digest makes it look right."""
    (small, *big) = _written(tmp_path, {"a": b"12345", "b": bytes(CHUNK_BYTES + 5)})
    for piece in (small, *big):
        for size in (piece.size - 1, piece.size + 1):
            with pytest.raises(BundleError, match=repr(piece.path)):
                list(give(tmp_path / piece.path, piece._replace(size=size, length=size)))
        with pytest.raises(BundleError, match=repr(piece.path)):
            list(give(tmp_path / piece.path, piece, changed_ns=1))
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(BundleError, match="regular"):
        list(give(tmp_path / "fifo", small))


def test_files_go_to_folders_old_and_new(tmp_path: Path) -> None:
    """A folder that is new comes as one; one that is there keeps what it has, and a link to a folder is followed."""
    here, there = tmp_path / "here", tmp_path / "there"
    files = {"top": b"1", "old/b": b"2", "new/c": b"3", "new/deep/er/d": b"4", "linked/e": b"5"}
    for path in files:
        (here / path).parent.mkdir(parents=True, exist_ok=True)
    pieces = _begin(there, _written(here, files))
    (there / "old").mkdir()
    (there / "old" / "kept").write_bytes(b"0")
    (tmp_path / "elsewhere").mkdir()
    (there / "linked").symlink_to(tmp_path / "elsewhere")
    _take(_stream(here, pieces), pieces, there / "stage")
    _end(there, pieces)
    assert {path: (there / path).read_bytes() for path in files} == files
    assert (there / "old" / "kept").read_bytes() == b"0"
    assert (tmp_path / "elsewhere" / "e").read_bytes() == b"5"
    assert not (there / "stage").exists()


def test_a_new_folder_brings_nothing_that_an_earlier_transfer_staged(tmp_path: Path) -> None:
    """What was staged for a file that this transfer does not have may be old, or half of it."""
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "new").mkdir(parents=True)
    earlier = _begin(there, _written(here, {"new/a": b"12", "new/b": b"34"}))
    _take(_stream(here, earlier), earlier, there / "stage")
    now = _begin(there, _written(here, {"new/a": b"56"}))
    _take(_stream(here, [piece._replace(done=0) for piece in now]), [now[0]._replace(done=0)], there / "stage")
    _end(there, now)
    assert _read(there / "new") == {"a": b"56"}


def test_modes_are_those_asked_for_whatever_the_umask(tmp_path: Path) -> None:
    """A careful user's umask does not make a model unreadable to others, nor a careless one a secret readable."""
    (tmp_path / "here").mkdir()
    modes = {"open": 0o644, "run": 0o755, "secret": 0o600}
    for name in modes:
        (tmp_path / "here" / name).write_bytes(b"x")
    for umask in (0o000, 0o022, 0o077):
        there = tmp_path / f"there-{umask}"
        before = os.umask(umask)
        try:
            pieces = _begin(there, [Piece(name, 0, 1, 0, 1, mode) for name, mode in modes.items()])
            _take(_stream(tmp_path / "here", pieces), pieces, there / "stage")
            _end(there, pieces)
        finally:
            os.umask(before)
        assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in there.iterdir()} == modes


def test_what_could_not_be_written_behind_is_told_by_the_next_call(tmp_path: Path) -> None:
    """The kernel tells of it once; a transfer that went on would place files that are not on the disk."""
    (tmp_path / "stage").mkdir()
    whole = Writeback(tmp_path / "stage")
    whole.arrived(1000)
    whole.arrived(1000)
    whole.finish()
    for later in (Writeback.finish, _until_told):
        torn = Writeback(tmp_path / "gone")
        torn.arrived(1000)
        with pytest.raises(OSError, match="gone"):
            later(torn)


def _until_told(writeback: Writeback) -> None:
    """Its answer comes when the disk is done; until then files may arrive."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        writeback.arrived(1000)


def test_a_transfer_that_was_overtaken_places_nothing(tmp_path: Path) -> None:
    """A process whose client vanished must not put files in place once a newer transfer has begun."""
    pieces = _begin(tmp_path / "there", _written(tmp_path / "here", {"a": b"1", "b": b"2"}))
    _take(_stream(tmp_path / "here", pieces), pieces, tmp_path / "there" / "stage")
    claim(tmp_path / "there", tmp_path / "there" / "stage", "newer", [])
    with pytest.raises(BundleError, match="taken over"):
        _end(tmp_path / "there", pieces)
    assert _read(tmp_path / "there") == {}


def test_who_comes_too_late_brings_no_stage_back(tmp_path: Path) -> None:
    """A transfer that is over has removed its stage; a straggler of it fails, and leaves nothing behind."""
    pieces = _begin(tmp_path / "there", _written(tmp_path / "here", {"a": b"1"}))
    _take(_stream(tmp_path / "here", pieces), pieces, tmp_path / "there" / "stage")
    _end(tmp_path / "there", pieces)
    with pytest.raises(FileNotFoundError):
        _take(_stream(tmp_path / "here", pieces), pieces, tmp_path / "there" / "stage")
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["a"]


def test_a_taker_whose_client_vanished_is_ended(tmp_path: Path) -> None:
    """It may hold bytes of an older file: whoever claims the stage next waits until it writes no more."""
    (tmp_path / "there").mkdir()
    piece = Piece("a", 0, 10, 0, 10, 0o644)
    root, stage = str(tmp_path / "there"), str(tmp_path / "there" / "stage")
    claim(tmp_path / "there", tmp_path / "there" / "stage", "old", [])
    taker = subprocess.Popen([sys.executable, bundle.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert taker.stdin is not None
    assert taker.stdout is not None
    request: dict[str, object] = {"do": "take", "root": root, "stage": stage, "token": "old", "pieces": []}
    taker.stdin.write(_json_line(request))
    taker.stdin.flush()
    assert taker.stdout.readline() == b"0\n"
    claim(tmp_path / "there", tmp_path / "there" / "stage", "new", [("a", 10)])
    assert taker.wait(timeout=10) == -9
    late = subprocess.run(
        [sys.executable, bundle.__file__],
        input=_json_line({**request, "pieces": [piece]}) + b"x" * 10 + hashlib.sha256(b"x" * 10).digest(),
        capture_output=True, check=False,
    )  # fmt: skip
    assert late.returncode == bundle.EXIT_FILES
    assert b"taken over" in late.stderr


def test_digests_of_pieces(tmp_path: Path) -> None:
    """The digest of a piece, and None for what is shorter, missing or no regular file; in order, however many."""
    (tmp_path / "a").write_bytes(b"abcdef")
    assert digest_of(tmp_path / "a", 0, 3) == hashlib.sha256(b"abc").hexdigest()
    assert digest_of(tmp_path / "a", 2, 3) == hashlib.sha256(b"cde").hexdigest()
    assert digest_of(tmp_path / "a", 0, 7) is None
    assert digest_of(tmp_path / "a", 2, 7) is None
    assert digest_of(tmp_path / "missing", 0, 0) is None
    assert digest_of(tmp_path, 0, 0) is None
    many = [(tmp_path / "a", 0, number % 8) for number in range(1200)]
    assert digests_of(many) == [digest_of(*one) for one in many]


def _json_line(request: dict[str, object]) -> bytes:
    return json.dumps(request).encode() + b"\n"
