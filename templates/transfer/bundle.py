"""Many files as one stream: for each, its bytes and then their SHA-256 (32 bytes). Both ends run this very file.

The list of files goes ahead, so the stream needs no names in it, and whoever takes it creates nothing that it did not
ask for. On the machine it runs as `python3 -c`, whatever is installed there: Python 3.10, standard library, no other
file of ours, which is why it is one long file. `tar` and `dd` would need GNU options (macOS has none), a listing of
names to distrust, and a second reading of every file for its digest.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from io import RawIOBase

CHUNK_BYTES = 256 * 1024
# Below this a file is not worth an fsync of its own: one sync covers all of them before they are renamed.
BIG_FILE_BYTES = 16 * 1024 * 1024
STAGE_PREFIX = ".llamalift-part"
EXIT_DAMAGED = 3
EXIT_CUT_SHORT = 4
EXIT_FILES = 5

_DIGEST_BYTES = 32
# From so many files on, one sync of everything is cheaper than one fsync each.
_MANY = 64
# Chunks that may wait for the hashing thread: 2 MiB.
_AHEAD = 8
_OWNER = "owner"


class BundleError(Exception):
    """A file of the bundle cannot be passed on: which, and why."""

    exit_code = EXIT_FILES


class DamagedError(BundleError):
    """What arrived is not what was sent, or not what was expected."""

    exit_code = EXIT_DAMAGED


class CutShortError(BundleError):
    """The stream ended before the bundle did."""

    exit_code = EXIT_CUT_SHORT


class Item(NamedTuple):
    """One file of a bundle.

    Attributes:
        path: Relative to the bundle's root, with `/`.
        start: Bytes that the taking side has already staged, and that are not sent again.
        size: The whole file's size in bytes.
        mode: Permission bits that it will have.
    """

    path: str
    start: int
    size: int
    mode: int


def part_name(path: str) -> str:
    """The staged file's name for `path`: flat and short, whatever the path is like."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:32]


def digest_of(file: Path, length: int) -> str | None:
    """SHA-256 in hex of the first `length` bytes; None when there are fewer, or no such regular file."""
    try:
        with _opened(file) as source:
            digest = hashlib.sha256()
            left = length
            while left and (data := source.read(min(left, CHUNK_BYTES))):
                digest.update(data)
                left -= len(data)
            return None if left else digest.hexdigest()
    except (OSError, BundleError):
        return None


def digests_of(files: Sequence[tuple[Path, int]]) -> list[str | None]:
    """`digest_of` for many files, on up to four cores."""
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        return list(pool.map(lambda entry: digest_of(*entry), files))


def give(sources: Sequence[tuple[Path, Item]]) -> Iterator[bytes]:
    """The bundle's bytes in pieces of about 256 KiB.

    Raises:
        BundleError: A file is not the regular file of that size that it was, or changes while it is read.
    """
    batch = bytearray()
    with ThreadPoolExecutor(max_workers=1) as helper:
        for file, item in sources:
            for piece in _with_digest(file, item, helper):
                batch += piece
                if len(batch) >= CHUNK_BYTES:
                    yield bytes(batch)
                    batch.clear()
    if batch:
        yield bytes(batch)


def take(
    stream: BinaryIO,
    items: Sequence[Item],
    root: Path,
    *,
    stage: Path,
    expected: Mapping[str, str] | None = None,
    on_bytes: Callable[[int], None] = lambda _count: None,
) -> None:
    """Write the bundle's files below `root`, each whole or not at all: staged, verified, synced, renamed.

    What was verified before a failure is kept and put in its place; a partly received file stays staged.

    Args:
        stream: A buffered stream; a short read is its end.
        items: What was asked for, in order.
        root: Where the files go.
        stage: A folder on the same filesystem for what is not complete; removed at the end.
        expected: SHA-256 in hex by path, where it is known beforehand.
        on_bytes: Told the number of bytes that arrived since the last call.

    Raises:
        CutShortError: The stream ended early.
        DamagedError: A file's digest is wrong; its staged bytes are dropped.
        BundleError: A staged file is not what it was.
    """
    stage.mkdir(parents=True, exist_ok=True)
    token = _claim(stage)
    waiting: list[Item] = []
    helper = ThreadPoolExecutor(max_workers=1)
    try:
        for item in items:
            part = stage / part_name(item.path)
            found = _receive(stream, item, part, _Digest(item, helper), on_bytes)
            if expected is not None and found.hex() != expected[item.path]:
                part.unlink()
                raise DamagedError(f"SHA-256 is not the expected one for: {item.path!r}")
            if item.size < BIG_FILE_BYTES:
                waiting.append(item)
            else:
                _place([item], root, stage, token)
    finally:
        helper.shutdown()
        _place(waiting, root, stage, token)
    shutil.rmtree(stage)


def look(root: Path, stage: Path, paths: Sequence[str]) -> dict[str, Any]:
    """Free bytes below `root`, and for each path its size there and its staged size (None: no regular file)."""
    existing = next(folder for folder in (root, *root.parents) if folder.is_dir())
    return {
        "free_bytes": shutil.disk_usage(existing).free,
        "sizes": [[_size(root / path), _size(stage / part_name(path))] for path in paths],
    }


class _Digest:
    """SHA-256 of one file. A big one is hashed by a thread, beside its reading and writing: hashlib lets others run."""

    def __init__(self, item: Item, helper: ThreadPoolExecutor) -> None:
        self._hash = hashlib.sha256()
        self._helper = helper if item.size >= BIG_FILE_BYTES else None
        self._begun: deque[Future[None]] = deque()

    def update(self, data: bytes) -> None:
        """Take more bytes."""
        if self._helper is None:
            self._hash.update(data)
            return
        self._begun.append(self._helper.submit(self._hash.update, data))
        if len(self._begun) > _AHEAD:
            self._begun.popleft().result()

    def digest(self) -> bytes:
        """The digest of all bytes taken."""
        while self._begun:
            self._begun.popleft().result()
        return self._hash.digest()


def _with_digest(file: Path, item: Item, helper: ThreadPoolExecutor) -> Iterator[bytes]:
    digest = _Digest(item, helper)
    with _opened(file) as source:
        before = os.fstat(source.fileno())
        _copy(source, item, item.start, digest.update)
        left = item.size - item.start
        while left and (data := source.read(min(left, CHUNK_BYTES))):
            digest.update(data)
            left -= len(data)
            yield data
        after = os.fstat(source.fileno())
    if left or before.st_size != item.size or after.st_mtime_ns != before.st_mtime_ns:
        raise BundleError(f"the file changed while it was read: {item.path!r}")
    yield digest.digest()


def _receive(stream: BinaryIO, item: Item, part: Path, digest: _Digest, on_bytes: Callable[[int], None]) -> bytes:
    """Stage one file and return its digest, which is the sender's as well."""
    # r+b keeps what is staged; a new file is made private until it gets its mode.
    flags = os.O_RDWR if item.start else os.O_RDWR | os.O_CREAT | os.O_TRUNC
    with os.fdopen(os.open(part, flags, 0o600), "r+b", buffering=0) as staged:
        _copy(staged, item, item.start, digest.update)
        os.ftruncate(staged.fileno(), item.start)

        def keep(data: bytes) -> None:
            digest.update(data)
            _write_all(staged, data)
            on_bytes(len(data))

        _copy(stream, item, item.size - item.start, keep)
        trailer = stream.read(_DIGEST_BYTES)
        if len(trailer) < _DIGEST_BYTES:
            raise CutShortError(f"the stream ended early at: {item.path!r}")
        os.fchmod(staged.fileno(), item.mode)
        if item.size >= BIG_FILE_BYTES:
            os.fsync(staged.fileno())
    found = digest.digest()
    if trailer != found:
        part.unlink()
        raise DamagedError(f"SHA-256 is wrong for: {item.path!r}")
    return found


def _write_all(file: RawIOBase, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) or 0 :]


def _copy(source: BinaryIO, item: Item, length: int, sink: Callable[[bytes], Any]) -> None:
    left = length
    while left:
        data = source.read(min(left, CHUNK_BYTES))
        if not data:
            raise CutShortError(f"the stream ended early at: {item.path!r}")
        left -= len(data)
        sink(data)


def _claim(stage: Path) -> bytes:
    # A taker whose client vanished may wake up hours later: it must not put files in place that a newer one is writing.
    token = os.urandom(16)
    (stage / _OWNER).write_bytes(token)
    return token


def _place(items: Sequence[Item], root: Path, stage: Path, token: bytes) -> None:
    if not items:
        return
    if (stage / _OWNER).read_bytes() != token:
        raise BundleError(f"another transfer has taken over: {str(root)!r}")
    _sync_parts([stage / part_name(item.path) for item in items if item.size < BIG_FILE_BYTES])
    folders = {(root / item.path).parent for item in items}
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for item in items:
        (stage / part_name(item.path)).replace(root / item.path)
    for folder in folders:
        _sync_folder(folder)


def _sync_parts(parts: Sequence[Path]) -> None:
    if len(parts) > _MANY:
        os.sync()
        return
    for part in parts:
        with part.open("rb") as file:
            os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _opened(file: Path) -> BinaryIO:
    # O_NONBLOCK: opening a FIFO must not wait for its writer.
    source = os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
        source.close()
        raise BundleError(f"not a regular file: {str(file)!r}")
    return source


def _size(file: Path) -> int | None:
    try:
        status = file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _main(verb: str) -> None:
    request = json.loads(sys.stdin.buffer.readline())
    root, stage = Path(request["root"]), Path(request["stage"])
    if verb == "look":
        answer: Any = look(root, stage, request["paths"])
    elif verb == "digests":
        answer = digests_of([(root / path, length) for path, length in request["prefixes"]])
    elif verb == "give":
        items = [Item(*fields) for fields in request["items"]]
        for piece in give([(root / item.path, item) for item in items]):
            sys.stdout.buffer.write(piece)
        return
    else:
        take(sys.stdin.buffer, [Item(*fields) for fields in request["items"]], root, stage=stage)
        for folder in request["folders"]:
            (root / folder).mkdir(parents=True, exist_ok=True)
        answer = "taken"
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    try:
        _main(sys.argv[1])
    except (BundleError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the client reads it over SSH
        sys.exit(error.exit_code if isinstance(error, BundleError) else EXIT_FILES)
