"""Files to the machine: only what it lacks, each file whole or not at all, SHA-256 verified by the machine.

Small files go as one stream, big ones in cells over several connections; however many files there are, it takes a fixed
number of round trips. `remote.fetch` is the way back.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from remote.errors import TransferError
from remote.far_end import FarEnd, Seen, Target, program
from remote.jobs import in_batches
from remote.lanes import Lanes, Load
from remote.lines import SessionLine
from remote.pace import Pace
from remote.text import gibibytes
from remote.tree import Links, LocalFile, LocalTree, scan
from templates.transfer.bundle import (
    BIG_FILE_BYTES,
    STAGE_PREFIX,
    BundleError,
    Piece,
    digests_of,
    give,
    is_hole,
    opened,
    part_name,
    part_path,
    pieces_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from remote.session import Session
    from remote.types import TransferProgress

# A file takes whole blocks, and its folder grows: 4 KiB is ext4's and APFS's block.
BLOCK_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Sent:
    """What a transfer did.

    Attributes:
        files: Files sent (unchanged ones are not).
        bytes_sent: Content bytes that went over the line.
        bytes_skipped: Content bytes that the machine had already, and holes.
    """

    files: int
    bytes_sent: int
    bytes_skipped: int


def send_tree(
    session: Session,
    source: Path,
    target: str,
    *,
    progress: TransferProgress | None = None,
    ignore: Iterable[str] = (),
    links: Links = "refuse",
    limit_bytes_per_second: float | None = None,
    lanes: int | None = None,
) -> Sent:
    """Make the file or folder `source` be at the absolute path `target` on the machine.

    Files there that are the same by content stay; others of the same name are replaced; nothing is deleted. Special
    files are refused. Permissions become 0644, or 0755 where the owner may execute. After a broken connection the same
    call continues, within a file too.

    Args:
        session: The machine.
        source: What to send.
        target: Where it will be.
        progress: Told how far it is, at most ten times a second.
        ignore: Patterns as in a `.gitignore`, in addition to those in the folder's `.llamaliftignore`.
        links: `refuse` symbolic links, or `keep` those that lead to something inside the folder.
        limit_bytes_per_second: All connections together take no more.
        lanes: Connections beside the session's; by default as many as the link and the cores can use.

    Raises:
        TransferError: Something cannot be sent, does not fit, or changed on the way.
        UnreachableError: The connection broke.
    """
    # The program there starts while we look at the files here.
    with FarEnd(SessionLine(session, program())) as far:
        tree = scan(source, target, ignore=ignore, links=links)
        goal = Target(tree.root, tree.stage, os.urandom(16).hex())
        seen = far.claim(goal, [(file.path, file.size_bytes) for file in tree.files])
        wanted = _wanted(far, tree, seen)
        _check_space(seen.free_bytes, wanted, tree.root)
        far.copy(goal, wanted.copies)
        total = sum(file.size_bytes for file in tree.files)
        files = {file.path: file for file in tree.files}
        pieces = _without_holes(wanted.pieces, files)
        to_send = sum(piece.to_send for piece in pieces)
        pace = Pace(progress, total - to_send, total, limit_bytes_per_second=limit_bytes_per_second)
        new = dict.fromkeys((piece.path, piece.size, piece.mode) for piece, _ in wanted.pieces)
        upload = _Upload(goal, files, pace)
        Lanes(session, far, count=lanes).carry_out(in_batches(pieces), upload, Load(to_send, len(new)))
        far.place(goal, list(new), tree.empty_folders, tree.links)
    pace.finish()
    return Sent(len(new), to_send, total - to_send)


def send_bytes(session: Session, data: bytes, target: str, *, mode: int = 0o644) -> None:
    """Make `data` be the file `target` on the machine, at once and with these permission bits.

    Raises:
        TransferError: It cannot be written there.
        UnreachableError: The connection broke.
    """
    root, name = posixpath.split(target)
    stage = posixpath.join(root, f"{STAGE_PREFIX}-{part_name(name)}")
    goal = Target(root, stage, os.urandom(16).hex())
    # Always one piece, and from its beginning.
    piece = Piece(name, 0, len(data), 0, len(data), mode)
    if len(data) >= BIG_FILE_BYTES:
        raise TransferError(f"too much to be sent at once: {gibibytes(len(data))}")
    with FarEnd(SessionLine(session, program())) as far:
        # One round trip for all three.
        for request in (
            goal.request("claim", files=[]),
            goal.request("take", pieces=[piece]),
            data,
            hashlib.sha256(data).digest(),
            goal.request("place", files=[(name, len(data), mode)], folders=[], links=[]),
        ):
            far.send(request)
        far.flush()
        for _ in range(3):
            far.answer()


class _Upload:
    """Jobs of an upload: pieces go, and the machine says that it has verified them."""

    def __init__(self, goal: Target, files: dict[str, LocalFile], pace: Pace) -> None:
        self._goal = goal
        self._files = files
        self._pace = pace

    def begin(self, far: FarEnd, job: tuple[Piece, ...]) -> None:
        """Send the pieces."""
        far.send(self._goal.request("take", pieces=job))
        try:
            for piece in job:
                file = self._files[piece.path]
                for data in give(file.source, piece, changed_ns=file.changed_ns):
                    far.send(data)
                    self._pace.add(len(data))
        except (OSError, BundleError) as error:
            raise TransferError(
                f"cannot read what is to be sent: {error}", hint="run it again when nothing writes there"
            ) from error
        far.flush()

    def end(self, far: FarEnd, job: tuple[Piece, ...]) -> None:
        """See that they are there."""
        if far.answer() != len(job):
            raise TransferError("the machine took other files than were sent", hint="is its python3 intact?")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the machine lacks.

    Attributes:
        pieces: All pieces of the files that are not there as they are here, with what is staged of each, and whether
            anything ever was.
        copies: Those of them that the machine can take from the older file in place, with their SHA-256.
    """

    pieces: tuple[tuple[Piece, bool], ...]
    copies: tuple[tuple[Piece, str], ...]


def _wanted(far: FarEnd, tree: LocalTree, seen: Seen) -> _Wanted:
    whole = {file.path: pieces_of(file.path, file.size_bytes, file.mode) for file in tree.files}
    in_place = [
        piece
        for file in tree.files
        if (size := seen.sizes.get(file.path)) is not None
        and (size == file.size_bytes or file.size_bytes >= BIG_FILE_BYTES)
        for piece in whole[file.path]
        if piece.start + piece.length <= size
    ]
    counts = [
        (piece, count)
        for file in tree.files
        if (there := seen.staged.get(file.path))
        for piece, count in zip(whole[file.path], there, strict=True)
    ]
    staged = [piece._replace(done=count) for piece, count in counts if count]
    touched = {_key(piece) for piece, count in counts if count is not None}
    checks = [(piece, piece.path, piece.length) for piece in in_place]
    checks += [(piece, part_path(tree.stage, piece.path), piece.done) for piece in staged]
    equal = _equal(far, tree, checks)
    agreed = {_key(piece): digest for piece, digest in zip(in_place, equal, strict=False) if digest}
    right = {_key(piece): piece.done for piece, digest in zip(staged, equal[len(in_place) :], strict=True) if digest}
    changed = [
        piece
        for file in tree.files
        if seen.sizes.get(file.path) != file.size_bytes or any(_key(piece) not in agreed for piece in whole[file.path])
        for piece in whole[file.path]
    ]
    copies = {
        _key(piece): agreed[_key(piece)]
        for piece in changed
        if _key(piece) in agreed and right.get(_key(piece)) != piece.length
    }
    done = {**right, **{_key(piece): piece.length for piece in changed if _key(piece) in copies}}
    return _Wanted(
        tuple((piece._replace(done=done.get(_key(piece), 0)), _key(piece) in touched) for piece in changed),
        tuple((piece, copies[_key(piece)]) for piece in changed if _key(piece) in copies),
    )


def _key(piece: Piece) -> tuple[str, int]:
    return piece.path, piece.start


def _equal(far: FarEnd, tree: LocalTree, checks: Sequence[tuple[Piece, str, int]]) -> list[str | None]:
    """SHA-256 of those pieces that are the same on both sides, None for others; both sides hash at the same time."""
    sources = {file.path: file.source for file in tree.files}
    with ThreadPoolExecutor(max_workers=1) as pool:
        there = pool.submit(far.digests, tree.root, [(path, piece.start, length) for piece, path, length in checks])
        here = digests_of([(sources[piece.path], piece.start, length) for piece, _, length in checks])
        return [ours if ours == theirs else None for ours, theirs in zip(here, there.result(), strict=True)]


def _without_holes(wanted: Iterable[tuple[Piece, bool]], files: dict[str, LocalFile]) -> list[Piece]:
    """What must travel: neither cells that are staged whole nor holes that are holes there, too."""
    return [
        piece
        for piece, touched in wanted
        if piece.size < BIG_FILE_BYTES
        or (piece.done < piece.length and (touched or not _is_hole(files[piece.path], piece)))
    ]


def _is_hole(file: LocalFile, piece: Piece) -> bool:
    try:
        with opened(file.source) as source:
            return is_hole(source, piece)
    except (OSError, BundleError):
        return False  # whoever sends it says what is wrong


def _check_space(free_bytes: int, wanted: _Wanted, root: str) -> None:
    needed = sum(piece.to_send + (BLOCK_BYTES if piece.start == 0 else 0) for piece, _ in wanted.pieces)
    needed += sum(piece.length for piece, _ in wanted.copies)
    if needed > free_bytes:
        raise TransferError(
            f"{gibibytes(needed)} do not fit on the machine, where {gibibytes(free_bytes)} are free: {root}",
            hint="give the run a larger workspace (`storage:` in the run file)",
        )
