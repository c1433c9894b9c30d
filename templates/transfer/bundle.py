"""Both ends of a transfer: files as pieces, each with its SHA-256, staged, verified, synced and only then renamed.

On the machine this very file runs as `python3 -c`, whatever is installed there: Python 3.10, standard library, no other
file of ours, which is why it is one long file. It reads requests (one JSON line each) from standard input and answers
on standard output; the bytes of the pieces follow the request that lists them. So the stream needs no names in it, and
whoever takes it creates nothing that it did not ask for. `tar` and `dd` would need GNU options (macOS has none), a
listing of names to distrust, and a second reading of every file for its digest.

A file from BIG_FILE_BYTES on is cut into cells of CELL_BYTES, which may travel in any order and over several
connections; a smaller file is one piece. What of a piece has arrived is known to the byte, whatever ended the stream.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import signal
import stat
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

CHUNK_BYTES = 256 * 1024
CELL_BYTES = 8 * 1024 * 1024
BIG_FILE_BYTES = 2 * CELL_BYTES
DIGEST_BYTES = 32
STAGE_PREFIX = ".llamalift-part"
EXIT_DAMAGED = 3
EXIT_CUT_SHORT = 4
EXIT_FILES = 5
# Before the bytes of a cell: is it a hole, so that none follow?
DATA, HOLE = b"\1", b"\0"

# From so many files on, one sync of their filesystem is cheaper than one fsync each.
_MANY = 64
_MOST_HASHERS = 8
_HASHED_TOGETHER = 512
_OWNER = "owner"
_LANE_PREFIX = "lane-"
_LONGEST_GOODBYE_SECONDS = 30.0
_SEEK_DATA = getattr(os, "SEEK_DATA", None)


class BundleError(Exception):
    """A file cannot be passed on: which, and why."""

    exit_code = EXIT_FILES


class DamagedError(BundleError):
    """What arrived is not what was sent, or not what was expected."""

    exit_code = EXIT_DAMAGED


class CutShortError(BundleError):
    """The stream ended before its last piece did."""

    exit_code = EXIT_CUT_SHORT


class Piece(NamedTuple):
    """A file, or one cell of a big one.

    Attributes:
        path: Relative to the tree's root, with `/`.
        start: Where the piece begins within the file.
        length: Its bytes.
        done: How many of them the taking side has already staged; they are not sent again.
        size: The whole file's size in bytes.
        mode: Permission bits that the file will have.
    """

    path: str
    start: int
    length: int
    done: int
    size: int
    mode: int

    @property
    def to_send(self) -> int:
        """Bytes that are still to travel."""
        return self.length - self.done


def pieces_of(path: str, size: int, mode: int) -> list[Piece]:
    """The whole file in pieces, nothing done yet."""
    if size < BIG_FILE_BYTES:
        return [Piece(path, 0, size, 0, size, mode)]
    return [Piece(path, start, min(CELL_BYTES, size - start), 0, size, mode) for start in range(0, size, CELL_BYTES)]


@cache
def part_name(path: str) -> str:
    """A flat and short name for `path`, whatever the path is like."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:32]


def part_path(stage: str | Path, path: str) -> str:
    """Where `path` is staged: each folder's files together, so that a new folder can be put in place as one."""
    folder, _, name = path.rpartition("/")
    return f"{_part_folder(stage, folder)}/{name}"


def _part_folder(stage: str | Path, folder: str) -> str:
    return f"{stage}/{part_name(folder)}"


def with_parents(folders: Iterable[str]) -> set[str]:
    """These folders, those that they lie in, and the outermost, whose path is empty."""
    found = {""}
    for path in folders:
        folder = path
        while folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def digest_of(file: str | Path, start: int, length: int) -> str | None:
    """SHA-256 in hex of `length` bytes from `start`; None when there are fewer, or no such regular file."""
    try:
        with opened(file) as source:
            if length <= CHUNK_BYTES and not start:
                data = source.read(length) or b""
                return hashlib.sha256(data).hexdigest() if len(data) == length else None
            source.seek(start)
            digest = hashlib.sha256()
            for portion in _portions(source, length):
                digest.update(portion)
            return digest.hexdigest()
    except (OSError, BundleError):
        return None


def digests_of(pieces: Sequence[tuple[str | Path, int, int]]) -> list[str | None]:
    """`digest_of` for many pieces, on up to eight cores."""
    batches: list[list[tuple[str | Path, int, int]]] = [[]]
    size = 0
    for piece in pieces:
        # A task for each of ten thousand small files would cost more than their digests.
        if size >= CELL_BYTES or len(batches[-1]) >= _HASHED_TOGETHER:
            batches.append([])
            size = 0
        batches[-1].append(piece)
        size += piece[2]
    with ThreadPoolExecutor(max_workers=min(_MOST_HASHERS, os.cpu_count() or 1)) as pool:
        return list(chain.from_iterable(pool.map(lambda batch: [digest_of(*piece) for piece in batch], batches)))


def opened(file: str | Path) -> BinaryIO:
    """A regular file, unbuffered.

    Raises:
        BundleError: It is none.
        OSError: It cannot be opened.
    """
    # O_NONBLOCK: opening a FIFO must not wait for its writer.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BundleError(f"not a regular file: {str(file)!r}")
    return os.fdopen(descriptor, "rb", buffering=0)


def give(file: str | Path, piece: Piece, *, changed_ns: int | None = None) -> Iterator[bytes | memoryview]:
    """The piece's bytes that are still to travel, then the digest of all its bytes; each portion until the next only.

    Args:
        file: Where they are.
        piece: Which of them.
        changed_ns: When the file was last changed, where that is known; at another time it is another file.

    Raises:
        BundleError: It is not the regular file of that size that it was, or changes while it is read.
    """
    if piece.size <= CHUNK_BYTES and not piece.done:
        data = _read_small(file, piece, changed_ns)
        yield data
        yield hashlib.sha256(data).digest()
        return
    digest = hashlib.sha256()
    with opened(file) as source:
        before = os.fstat(source.fileno())
        wanted_ns = before.st_mtime_ns if changed_ns is None else changed_ns
        if piece.start:
            source.seek(piece.start)
        try:
            for portion in _portions(source, piece.done):
                digest.update(portion)
            for portion in _portions(source, piece.to_send):
                digest.update(portion)
                yield portion
        except CutShortError:
            raise BundleError(f"the file changed while it was read: {piece.path!r}") from None
        after = os.fstat(source.fileno())
    if (after.st_size, after.st_mtime_ns, before.st_mtime_ns) != (piece.size, wanted_ns, wanted_ns):
        raise BundleError(f"the file changed while it was read: {piece.path!r}")
    yield digest.digest()


def _read_small(file: str | Path, piece: Piece, changed_ns: int | None) -> bytes:
    """The same for a file of one portion, with a fifth of the work: it is done for each of ten thousand files."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    try:
        data = os.read(descriptor, piece.size + 1)
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"not a regular file: {str(file)!r}")
    if len(data) != piece.size or status.st_mtime_ns != (changed_ns or status.st_mtime_ns):
        raise BundleError(f"the file changed while it was read: {piece.path!r}")
    return data


def is_hole(source: BinaryIO, piece: Piece) -> bool:
    """Whether the file has nothing but a hole there; where the filesystem cannot tell, it has not."""
    if _SEEK_DATA is None:
        return False
    try:
        return os.lseek(source.fileno(), piece.start, _SEEK_DATA) >= piece.start + piece.length
    except OSError as error:
        # No data from there to the end; any other error is a filesystem that does not know.
        return error.errno == errno.ENXIO


def take(
    stream: BinaryIO,
    piece: Piece,
    stage: str | Path,
    *,
    on_bytes: Callable[[int], None] = lambda _count: None,
    hashed: bool = True,
) -> bytes:
    """Stage the piece's bytes from `stream` and return the SHA-256 of the whole piece.

    Args:
        stream: A buffered stream; a short read is its end.
        piece: What comes.
        stage: The folder for what is not complete, made by `claim`.
        on_bytes: Told the number of bytes that arrived since the last call.
        hashed: Without it nothing is hashed, and the digest is that of nothing.

    Raises:
        CutShortError: The stream ended early; what came is kept.
    """
    if piece.size <= CHUNK_BYTES and not piece.done:
        return _take_small(stream, piece, part_path(stage, piece.path), on_bytes)
    digest = hashlib.sha256()
    with os.fdopen(_open_part(part_path(stage, piece.path), os.O_RDWR), "r+b", buffering=0) as staged:
        progress = _Progress(stage, staged.fileno(), piece)
        if hashed:
            for data in _portions(staged, piece.done):
                digest.update(data)
        elif piece.done:
            staged.seek(piece.done, os.SEEK_CUR)
        try:
            for data in _portions(stream, piece.to_send):
                _write_all(staged.fileno(), data)
                if hashed:
                    digest.update(data)
                progress.add(len(data))
                on_bytes(len(data))
        finally:
            progress.close()
    return digest.digest()


def _take_small(stream: BinaryIO, piece: Piece, part: str, on_bytes: Callable[[int], None]) -> bytes:
    data = stream.read(piece.length)
    # Nearly always the mode it will keep; the stage is private.
    descriptor = _open_part(part, os.O_WRONLY | os.O_TRUNC, piece.mode | stat.S_IRUSR | stat.S_IWUSR)
    try:
        _write_all(descriptor, data)
    finally:
        os.close(descriptor)
    on_bytes(len(data))
    if len(data) < piece.length:
        raise CutShortError(f"the stream ended early at: {piece.path!r}")
    return hashlib.sha256(data).digest()


def _open_part(part: str, flags: int, mode: int = 0o600) -> int:
    try:
        return os.open(part, flags | os.O_CREAT, mode)
    except FileNotFoundError:
        # The folder's first file; who comes too late for the whole stage does not bring it back.
        with suppress(FileExistsError):
            os.mkdir(part.rpartition("/")[0])  # noqa: PTH102 - text: a Path costs more than a small file
        return os.open(part, flags | os.O_CREAT, mode)


def take_verified(stream: BinaryIO, piece: Piece, stage: str | Path) -> None:
    """`take`, and then the sender's digest from the same stream.

    Raises:
        CutShortError: The stream ended early.
        DamagedError: The digests differ; the piece's staged bytes are dropped.
    """
    found = take(stream, piece, stage)
    if _exactly(stream, DIGEST_BYTES, piece) != found:
        drop(stage, piece)
        raise DamagedError(f"SHA-256 is wrong for: {piece.path!r}")


def copy_cell(piece: Piece, root: str | Path, stage: str | Path, digest: str) -> None:
    """Stage a cell from the file that is in place, of which only other cells change.

    Raises:
        DamagedError: It is not there, or has not the SHA-256 `digest`.
    """
    with opened(f"{root}/{piece.path}") as source:
        source.seek(piece.start)
        found = take(source, piece._replace(done=0), stage).hex()
    if found != digest:
        drop(stage, piece)
        raise DamagedError(f"the file changed while it was copied: {piece.path!r}")


def keep_hole(piece: Piece, stage: str | Path) -> None:
    """The cell is a hole, and was never anything else here: note that it is complete."""
    descriptor = _open_part(part_path(stage, piece.path), os.O_RDWR)
    try:
        progress = _Progress(stage, descriptor, piece)
        progress.add(piece.length)
        progress.close()
    finally:
        os.close(descriptor)


def drop(stage: str | Path, piece: Piece) -> None:
    """Forget what is staged of `piece`."""
    if piece.size < BIG_FILE_BYTES:
        Path(part_path(stage, piece.path)).unlink(missing_ok=True)
        return
    with _cells_file(stage, piece.path).open("r+b", buffering=0) as cells:
        cells.seek(8 * (piece.start // CELL_BYTES))
        cells.write((1).to_bytes(8, "little"))


def claim(root: Path, stage: Path, token: str, files: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """Make the stage this transfer's own, and say what is there.

    A taker whose client vanished may still be writing, and may wake up hours later: it is ended here.

    Args:
        root: Where the files will go.
        stage: A folder on the same filesystem for what is not complete.
        token: This transfer's own word.
        files: Path and size of each.

    Returns:
        `free_bytes` below `root`, and `found`: for each path of which anything is there its size in place (None: no
        regular file) and, for each of its pieces, the bytes staged (None: never touched; no list: none ever was).
    """
    stage.mkdir(mode=0o700, parents=True, exist_ok=True)
    (stage / _OWNER).write_text(token)
    for lane in stage.glob(f"{_LANE_PREFIX}*"):
        _end_lane(lane)
    staged_names = _NamesIn(stage)
    is_new = os.listdir(root) == [stage.name]  # noqa: PTH208 - names
    found = {}
    for path, size in files:
        in_place = None if is_new else _size(f"{root}/{path}")
        staged = _staged(stage, path, size) if path in staged_names else []
        if in_place is not None or staged:
            found[path] = [in_place, staged]
    return {"free_bytes": shutil.disk_usage(stage).free, "found": found}


def place(
    root: Path,
    stage: Path,
    token: str,
    *,
    files: Sequence[tuple[str, int, int]],
    folders: Sequence[str] = (),
    links: Sequence[tuple[str, str]] = (),
) -> None:
    """Put complete files under their names, all of them on the disk before the first is renamed; remove the stage.

    Args:
        root: Where they go.
        stage: Where they are.
        token: This transfer's own word.
        files: Path, size and permission bits of each.
        folders: Paths of empty folders.
        links: Path of each symbolic link, and what it leads to.

    Raises:
        BundleError: Another transfer has claimed the stage, or a staged file is not complete.
    """
    _check_owner(stage, token)
    complete: dict[str, dict[str, int]] = {}
    for path, size, mode in files:
        folder, _, name = path.rpartition("/")
        complete.setdefault(folder, {})[name] = _finish(part_path(stage, path), path, size, mode)
    _sync(complete, stage)
    # Outer folders first: a new one goes to its place with its files, and the inner ones follow.
    for folder in sorted(complete):
        _place_folder(_part_folder(stage, folder), f"{root}/{folder}" if folder else str(root), complete[folder])
    bare = {path.rpartition("/")[0] for path, _ in links} | set(folders)
    for folder in bare:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number, (path, leads_to) in enumerate(links):
        new = stage / f"link-{number}"
        new.unlink(missing_ok=True)
        new.symlink_to(leads_to)
        new.replace(root / path)
    for folder in with_parents(bare | complete.keys()):
        _sync_folder(root / folder)
    shutil.rmtree(stage)


def _place_folder(staged: str, folder: str, inodes: dict[str, int]) -> None:
    """Put staged files into their folder: as one where it is new, which for ten thousand saves as many renames."""
    if os.path.lexists(folder):
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - says what is wrong where it is no folder
        for name in inodes:
            os.replace(f"{staged}/{name}", f"{folder}/{name}")  # noqa: PTH105 - text: a Path costs more than the rename
        return
    # What an earlier transfer staged and this one does not need stays out; by inode, as a filesystem may change names.
    kept = set(inodes.values())
    with os.scandir(staged) as entries:
        for entry in entries:
            if entry.inode() not in kept:
                os.unlink(entry.path)  # noqa: PTH108 - see above
    os.makedirs(folder.rpartition("/")[0], exist_ok=True)  # noqa: PTH103 - see above
    os.rename(staged, folder)  # noqa: PTH104 - see above


def _finish(part: str, path: str, size: int, mode: int) -> int:
    """See that a staged file is complete, and give it its mode; its inode."""
    if size >= BIG_FILE_BYTES:
        # One that is nothing but a hole was never begun.
        descriptor = _open_part(part, os.O_WRONLY)
        try:
            if os.fstat(descriptor).st_size == 0:
                os.ftruncate(descriptor, size)
        finally:
            os.close(descriptor)
    status = os.stat(part)  # noqa: PTH116 - text: a Path costs more than the call
    if status.st_size != size:
        raise BundleError(f"the staged file is not complete: {path!r}")
    if stat.S_IMODE(status.st_mode) != mode:
        os.chmod(part, mode)  # noqa: PTH101 - see above
    return status.st_ino


class Writeback:
    """Writes many small files to the disk while more arrive, so that little is left to wait for at the end.

    The kernel tells an error once: a sync after one that failed may well succeed. So each call tells of those before.
    """

    def __init__(self, stage: Path) -> None:
        self._stage = stage
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._under_way: Future[None] | None = None
        self._lock = threading.Lock()

    def arrived(self, count: int) -> None:
        """So many more files are staged; while the disk is busy with others, they wait for the next call.

        Raises:
            OSError: Some that came before could not be written.
        """
        with self._lock:
            if count > _MANY and (self._under_way is None or self._under_way.done()):
                self.finish()
                self._under_way = self._pool.submit(_sync_filesystem, self._stage)

    def finish(self) -> None:
        """Wait for the disk.

        Raises:
            OSError: See `arrived`.
        """
        if self._under_way is not None:
            self._under_way.result()


class _Progress:
    """What of a piece is staged. For a whole file its size says it; cells have eight bytes each beside the file.

    They hold the number of bytes plus one: a zero is a cell that was never touched, which is a hole still.
    """

    def __init__(self, stage: str | Path, descriptor: int, piece: Piece) -> None:
        self._cells: int | None = None
        self._count = piece.done
        if piece.size < BIG_FILE_BYTES:
            os.ftruncate(descriptor, piece.done)
            return
        if os.fstat(descriptor).st_size != piece.size:
            os.ftruncate(descriptor, piece.size)
        os.lseek(descriptor, piece.start, os.SEEK_SET)
        self._cells = os.open(_cells_file(stage, piece.path), os.O_RDWR | os.O_CREAT, 0o600)
        self._place = 8 * (piece.start // CELL_BYTES)
        self.add(0)

    def add(self, count: int) -> None:
        self._count += count
        if self._cells is not None:
            os.pwrite(self._cells, (self._count + 1).to_bytes(8, "little"), self._place)

    def close(self) -> None:
        if self._cells is not None:
            os.close(self._cells)


def _cells_file(stage: str | Path, path: str) -> Path:
    return Path(f"{stage}/{part_name(path)}.cells")


class _NamesIn:
    """Which paths are staged, by their names alone; each folder is read once."""

    def __init__(self, stage: Path) -> None:
        self._stage = stage
        self._names: dict[str, set[str]] = {}

    def __contains__(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        if folder not in self._names:
            staged = Path(_part_folder(self._stage, folder))
            self._names[folder] = set(os.listdir(staged)) if staged.is_dir() else set()  # noqa: PTH208 - names
        return name in self._names[folder]


def _staged(stage: Path, path: str, size: int) -> list[int | None]:
    """The bytes staged of each piece; what belongs to a file of another size is removed."""
    part = Path(part_path(stage, path))
    there = _size(part)
    if size < BIG_FILE_BYTES:
        if there is None or there <= size:
            return [there]
        part.unlink()
        return [None]
    lengths = [piece.length for piece in pieces_of("", size, 0)]
    cells = _cells_file(stage, path)
    if there == size and _size(cells) is not None:
        counts = cells.read_bytes()[: 8 * len(lengths)].ljust(8 * len(lengths), b"\0")
        found = [int.from_bytes(counts[at : at + 8], "little") for at in range(0, len(counts), 8)]
        return [min(count - 1, length) if count else None for count, length in zip(found, lengths, strict=True)]
    part.unlink(missing_ok=True)
    cells.unlink(missing_ok=True)
    return [None for _ in lengths]


def _portions(source: BinaryIO, length: int) -> Iterator[memoryview]:
    """`length` bytes in portions, all of which share one buffer.

    Raises:
        CutShortError: There are fewer; what there was has been given.
    """
    if not length:
        return
    buffer = memoryview(bytearray(min(length, CHUNK_BYTES)))
    left = length
    while left:
        count = source.readinto(buffer[: min(left, CHUNK_BYTES)])  # type: ignore[attr-defined]
        if not count:
            raise CutShortError("the stream ended early")
        left -= count
        yield buffer[:count]


def _exactly(stream: BinaryIO, length: int, piece: Piece) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise CutShortError(f"the stream ended early at: {piece.path!r}")
    return data


def _write_all(descriptor: int, data: bytes | memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _check_owner(stage: Path, token: str) -> None:
    if (stage / _OWNER).read_text() != token:
        raise BundleError(f"another transfer has taken over: {str(stage.parent)!r}")


def _hold_lane(stage: Path, token: str) -> int:
    """Let the next transfer find, and end, this process while it takes pieces. The lock goes with the process."""
    descriptor = os.open(stage / f"{_LANE_PREFIX}{os.getpid()}", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    # In this order: whoever claims writes the owner first and looks for lanes afterwards.
    _check_owner(stage, token)
    return descriptor


def _end_lane(lane: Path) -> None:
    descriptor = os.open(lane, os.O_RDWR)
    try:
        deadline = time.monotonic() + _LONGEST_GOODBYE_SECONDS
        while not _is_free(descriptor):
            # Whoever holds the lock is the process that the file is named after.
            with suppress(ProcessLookupError):
                os.kill(int(lane.name.removeprefix(_LANE_PREFIX)), signal.SIGKILL)
            if time.monotonic() > deadline:
                raise BundleError(f"a process of an earlier transfer does not end: {lane.name}")
            time.sleep(0.01)
        lane.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync(complete: dict[str, dict[str, int]], stage: Path) -> None:
    """Staged files and the folders that they are staged in."""
    if sum(map(len, complete.values())) > _MANY:
        _sync_filesystem(stage)
        return
    staged = {_part_folder(stage, folder): names for folder, names in complete.items()}
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(_sync_file, [f"{folder}/{name}" for folder, names in staged.items() for name in names]))
    for folder in staged:
        _sync_folder(folder)


def _sync_filesystem(folder: Path) -> None:
    """syncfs(2) where there is one: sync(2) waits for every other disk of the machine, too."""
    try:
        import ctypes

        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except (ImportError, OSError, AttributeError):
        os.sync()
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), "cannot be synced", str(folder))
    finally:
        os.close(descriptor)


def _sync_file(file: str) -> None:
    descriptor = os.open(file, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: str | Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(file: str | Path) -> int | None:
    try:
        status = os.lstat(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _give_all(root: str, pieces: Iterable[Piece], sink: BinaryIO) -> None:
    """Bytes without digests: whoever asks knows the whole file's."""
    for piece in pieces:
        if piece.size <= CHUNK_BYTES and not piece.done:
            sink.write(_read_small(f"{root}/{piece.path}", piece, None))
            continue
        with opened(f"{root}/{piece.path}") as source:
            if os.fstat(source.fileno()).st_size != piece.size:
                raise BundleError(f"the file has not the size that it should have: {piece.path!r}")
            if piece.size >= BIG_FILE_BYTES:
                if not piece.done and is_hole(source, piece):
                    sink.write(HOLE)
                    continue
                sink.write(DATA)
            source.seek(piece.start + piece.done)
            sink.writelines(_portions(source, piece.to_send))


class _Server:
    """Answers requests until there are no more."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source = source
        self._sink = sink
        self._lane: int | None = None
        self._writeback: Writeback | None = None

    def run(self) -> None:
        while line := self._source.readline():
            request = json.loads(line)
            answer = getattr(self, f"_do_{request['do']}")(request)
            if answer is not None:
                self._sink.write(json.dumps(answer).encode() + b"\n")
            self._sink.flush()

    def _do_hello(self, _request: dict[str, Any]) -> object:
        return "here"

    def _do_claim(self, request: dict[str, Any]) -> object:
        stage = Path(request["stage"])
        seen = claim(Path(request["root"]), stage, request["token"], request["files"])
        self._writeback = Writeback(stage)
        return seen

    def _do_digests(self, request: dict[str, Any]) -> object:
        root = request["root"]
        # A staged file comes with its whole path.
        files = [(os.path.join(root, path), start, length) for path, start, length in request["pieces"]]  # noqa: PTH118
        return digests_of(files)

    def _do_take(self, request: dict[str, Any]) -> object:
        if self._lane is None:
            self._lane = _hold_lane(Path(request["stage"]), request["token"])
        for fields in request["pieces"]:
            take_verified(self._source, Piece(*fields), request["stage"])
        # Where others help, the one that claimed the stage writes for all of them.
        if self._writeback is not None:
            self._writeback.arrived(len(request["pieces"]))
        return len(request["pieces"])

    def _do_copy(self, request: dict[str, Any]) -> object:
        if self._lane is None:
            self._lane = _hold_lane(Path(request["stage"]), request["token"])
        for fields, digest in request["cells"]:
            copy_cell(Piece(*fields), request["root"], request["stage"], digest)
        return len(request["cells"])

    def _do_give(self, request: dict[str, Any]) -> None:
        _give_all(request["root"], [Piece(*fields) for fields in request["pieces"]], self._sink)

    def _do_place(self, request: dict[str, Any]) -> object:
        if self._writeback is not None:
            self._writeback.finish()
        wanted = {key: request[key] for key in ("files", "folders", "links")}
        place(Path(request["root"]), Path(request["stage"]), request["token"], **wanted)
        return "placed"


if __name__ == "__main__":
    try:
        with open(0, "rb", buffering=CHUNK_BYTES) as requests, open(1, "wb", buffering=CHUNK_BYTES) as answers:
            _Server(requests, answers).run()
    except (BundleError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the client reads it over SSH
        sys.exit(error.exit_code if isinstance(error, BundleError) else EXIT_FILES)
