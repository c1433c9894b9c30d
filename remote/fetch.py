"""Files from the machine: exactly those of a manifest, each verified against it before it appears here."""

from __future__ import annotations

import fcntl
import io
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from remote.errors import TransferError
from remote.far_end import FarEnd, program
from remote.jobs import in_batches
from remote.lanes import Lanes, Load
from remote.lines import SessionLine
from remote.pace import Pace
from remote.paths import check_manifest, folders_of
from remote.text import gibibytes
from remote.transfer import BLOCK_BYTES
from remote.whole import WholeDigests
from templates.transfer.bundle import (
    BIG_FILE_BYTES,
    DATA,
    HOLE,
    STAGE_PREFIX,
    BundleError,
    CutShortError,
    Piece,
    Writeback,
    claim,
    digests_of,
    keep_hole,
    part_path,
    pieces_of,
    place,
    take,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from remote.session import Session
    from remote.types import FileDigest, TransferProgress

_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a transfer home did.

    Attributes:
        files: Files received (those already here and right are not).
        bytes_received: Content bytes that came over the line.
        bytes_skipped: Content bytes that were here already, and holes.
    """

    files: int
    bytes_received: int
    bytes_skipped: int


def fetch_tree(
    session: Session,
    source: str,
    target: Path,
    manifest: Sequence[FileDigest],
    *,
    progress: TransferProgress | None = None,
    limit_bytes_per_second: float | None = None,
    lanes: int | None = None,
) -> Fetched:
    """Bring the files of `manifest` from the folder `source` on the machine into the folder `target` here.

    A file appears under its name only when its SHA-256 is the manifest's; nothing that the manifest does not name is
    written. After a broken connection the same call continues, within a file too.

    Args:
        session: The machine.
        source: Absolute folder there.
        target: Folder here; made when it is missing.
        manifest: Path, size and SHA-256 of each file.
        progress: Told how far it is, at most ten times a second.
        limit_bytes_per_second: All connections together take no more.
        lanes: Connections beside the session's; by default as many as the link and the cores can use.

    Raises:
        TransferError: The manifest is not to be trusted, the files do not fit here or are not what it says.
        UnreachableError: The connection broke.
    """
    check_manifest(manifest)
    _refuse_links(target, manifest)
    _refuse_more_than_the_disk(target, manifest)
    stage = target / STAGE_PREFIX
    try:
        with _alone(target, stage), FarEnd(SessionLine(session, program())) as far:
            token = os.urandom(16).hex()
            wanted = _wanted(target, stage, token, manifest)
            _check_space(target, [piece for piece, _ in wanted])
            total = sum(file.size_bytes for file in manifest)
            to_receive = sum(piece.to_send for piece, _ in wanted)
            pace = Pace(progress, total - to_receive, total, limit_bytes_per_second=limit_bytes_per_second)
            fetch = _Fetch(Lanes(session, far, count=lanes), source, stage, manifest=manifest, pace=pace)
            fetch.bring(wanted)
            names = dict.fromkeys((piece.path, piece.size, _MODE) for piece, _ in wanted)
            place(target, stage, token, files=list(names))
    except OSError as error:
        raise TransferError(f"cannot write here: {error.filename or target}: {error.strerror}") from error
    except BundleError as error:
        raise TransferError(f"cannot keep what the machine sends: {error}") from error
    pace.finish()
    return Fetched(len(names), fetch.received_bytes, total - to_receive)


class _Fetch:
    """One transfer home: pieces come and are staged, and the digests are the manifest's."""

    def __init__(self, lanes: Lanes, source: str, stage: Path, *, manifest: Sequence[FileDigest], pace: Pace) -> None:
        self._lanes = lanes
        self._source = source
        self._stage = stage
        self._expected = {file.path: file.sha256 for file in manifest}
        self._pace = pace
        self.received_bytes = 0

    def bring(self, wanted: Sequence[tuple[Piece, bool]]) -> None:
        """Stage every piece; where what was staged before turns out wrong, that is fetched once more.

        Raises:
            TransferError: A file is not what the manifest says.
        """
        wrong = self._bring(wanted)
        if not wrong:
            return
        again = self._to_repair([piece for piece, _ in wanted if piece.path in wrong])
        still = self._bring([(piece, True) for piece in again]) if again else wrong
        if still:
            for piece in {piece.path: piece for piece, _ in wanted if piece.path in still}.values():
                Path(part_path(self._stage, piece.path)).unlink(missing_ok=True)
            raise TransferError(
                f"SHA-256 is not what the machine's manifest says for: {min(still)!r}",
                hint="run it again; if it says the same, the file changed on the machine after its manifest was made",
            )

    def _bring(self, wanted: Sequence[tuple[Piece, bool]]) -> set[str]:
        """Returns the paths of those files whose digest is wrong."""
        big = [piece for piece, _ in wanted if piece.size >= BIG_FILE_BYTES]
        whole = WholeDigests(self._stage, big)
        download = _Download(self._source, self._stage, wanted, whole, self._pace)
        missing = [piece for piece, _ in wanted if piece.size < BIG_FILE_BYTES or piece.to_send]
        try:
            to_receive = sum(piece.to_send for piece in missing)
            load = Load(to_receive, len({piece.path for piece in missing}), comes_home=True)
            self._lanes.carry_out(in_batches(missing), download, load)
            download.writeback.finish()
            found = {**download.digests, **whole.all()}
        finally:
            whole.stop()
            self.received_bytes += download.received_bytes
        return {path for path, digest in found.items() if digest != self._expected[path]}

    def _to_repair(self, pieces: Sequence[Piece]) -> list[Piece]:
        """Of files that are wrong, those pieces that differ from the machine's; small files in full."""
        cells = [piece for piece in pieces if piece.size >= BIG_FILE_BYTES]
        there = self._lanes.far.digests(self._source, [(piece.path, piece.start, piece.length) for piece in cells])
        here = digests_of([(part_path(self._stage, piece.path), piece.start, piece.length) for piece in cells])
        differ = {(piece.path, piece.start) for piece, a, b in zip(cells, here, there, strict=True) if a != b}
        torn = {path for path, _ in differ}
        again = [
            # Cells that are right stay, and are hashed with the rest of their file.
            piece._replace(done=0 if (piece.path, piece.start) in differ else piece.length)
            for piece in cells
            if piece.path in torn
        ]
        return again + [piece._replace(done=0) for piece in pieces if piece.size < BIG_FILE_BYTES and piece.done]


class _Download:
    """Jobs of a download: pieces are asked for, and staged as they come."""

    def __init__(
        self, source: str, stage: Path, wanted: Sequence[tuple[Piece, bool]], whole: WholeDigests, pace: Pace
    ) -> None:
        self._source = source
        self._stage = stage
        self._touched = {(piece.path, piece.start) for piece, touched in wanted if touched}
        self._whole = whole
        self._pace = pace
        self.writeback = Writeback(stage)
        self.digests: dict[str, str] = {}
        self.received_bytes = 0

    def begin(self, far: FarEnd, job: tuple[Piece, ...]) -> None:
        """Ask for the pieces."""
        far.ask_for(self._source, job)

    def end(self, far: FarEnd, job: tuple[Piece, ...]) -> None:
        """Stage them."""
        try:
            for piece in job:
                if piece.size >= BIG_FILE_BYTES:
                    self._receive_cell(far, piece)
                    self._whole.arrived(piece)
                else:
                    self.digests[piece.path] = take(far.output, piece, self._stage, on_bytes=self._came).hex()
        except CutShortError as error:
            # The machine's side knows why, unless the connection broke, which `end` finds out.
            far.end()
            raise TransferError(f"the machine sent too little: {error}") from error
        self.writeback.arrived(len(job))

    def _receive_cell(self, far: FarEnd, piece: Piece) -> None:
        kind = far.output.read(1)
        if kind == HOLE:
            if (piece.path, piece.start) in self._touched:
                take(io.BufferedReader(_Zeros()), piece, self._stage)
            else:
                keep_hole(piece, self._stage)
        elif kind == DATA:
            take(far.output, piece, self._stage, on_bytes=self._came, hashed=False)
        else:
            raise CutShortError(f"nothing comes for: {piece.path!r}")

    def _came(self, count: int) -> None:
        self.received_bytes += count
        self._pace.add(count)


class _Zeros(io.RawIOBase):
    """Zeros without end."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        view = memoryview(buffer).cast("B")
        view[:] = bytes(len(view))
        return len(view)


@contextmanager
def _alone(target: Path, stage: Path) -> Iterator[None]:
    """Two commands that write into one stage would spoil each other's files; the lock goes with the process."""
    stage.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (stage / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TransferError(
                f"another command is bringing files into this folder: {target}", hint="wait for it, or stop it"
            ) from None
        yield


def _wanted(target: Path, stage: Path, token: str, manifest: Sequence[FileDigest]) -> list[tuple[Piece, bool]]:
    """The pieces of all files that are not here yet, with what is staged of each, and whether anything ever was.

    That what is staged is right, the file's digest proves in the end.
    """
    found = claim(target, stage, token, [(file.path, file.size_bytes) for file in manifest])["found"]
    nothing: tuple[None, list[int | None]] = (None, [])
    in_place = [file for file in manifest if found.get(file.path, nothing)[0] == file.size_bytes]
    here = digests_of([(target / file.path, 0, file.size_bytes) for file in in_place])
    unchanged = {file.path for file, digest in zip(in_place, here, strict=True) if digest == file.sha256}
    return [
        (piece._replace(done=count or 0), count is not None)
        for file in manifest
        if file.path not in unchanged
        for piece, count in zip(
            pieces_of(file.path, file.size_bytes, _MODE), found.get(file.path, nothing)[1] or repeat(None), strict=False
        )
    ]


def _check_space(target: Path, wanted: Sequence[Piece]) -> None:
    needed = sum(piece.to_send + (BLOCK_BYTES if piece.start == 0 else 0) for piece in wanted)
    free = shutil.disk_usage(target).free
    if needed > free:
        raise TransferError(
            f"{gibibytes(needed)} do not fit here, where {gibibytes(free)} are free: {target}",
            hint="free some space, or collect into another folder",
        )


def _refuse_more_than_the_disk(target: Path, manifest: Sequence[FileDigest]) -> None:
    """Before a list of the pieces of an exabyte fills the memory: a machine that lies may name any size."""
    existing = next(folder for folder in (target, *target.absolute().parents) if folder.is_dir())
    total, size = sum(file.size_bytes for file in manifest), shutil.disk_usage(existing).total
    if total > size:
        raise TransferError(
            f"{gibibytes(total)} do not fit here, on a disk of {gibibytes(size)}: {target}",
            hint="collect into another folder",
        )


def _refuse_links(target: Path, manifest: Sequence[FileDigest]) -> None:
    for folder in sorted(folders_of(file.path for file in manifest)):
        if (target / folder).is_symlink():
            raise TransferError(f"a symbolic link is in the way: {target / folder}")
