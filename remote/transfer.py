"""Files to the machine: only what it lacks, each file whole or not at all, SHA-256 verified by the machine.

A transfer is three round trips, however many files there are: look (what is there), digests (is it the same), take
(the rest as one stream). `remote.fetch` is the way back.
"""

from __future__ import annotations

import hashlib
import posixpath
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from remote import far_end
from remote.errors import CommandFailedError, TransferError
from remote.text import gibibytes
from remote.tree import LocalFile, LocalTree, scan
from templates.transfer.bundle import STAGE_PREFIX, BundleError, Item, digests_of, give, part_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
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
        bytes_skipped: Content bytes that the machine had already.
    """

    files: int
    bytes_sent: int
    bytes_skipped: int


def send_tree(session: Session, source: Path, target: str, *, progress: TransferProgress | None = None) -> Sent:
    """Make the file or folder `source` be at the absolute path `target` on the machine.

    Files there that are the same by content stay; others of the same name are replaced; nothing is deleted. Symbolic
    links and special files are refused. Permissions become 0644, or 0755 where the owner may execute. After a broken
    connection the same call continues, within a file too.

    Raises:
        TransferError: Something cannot be sent, does not fit, or changed on the way.
        UnreachableError: The connection broke.
    """
    tree = scan(source, target)
    seen = far_end.look(session, tree.root, tree.stage, [file.path for file in tree.files])
    wanted = _wanted(session, tree, seen)
    _check_space(seen.free_bytes, [item for _, item in wanted], tree.root)
    total = sum(file.size_bytes for file in tree.files)
    to_send = sum(item.size - item.start for _, item in wanted)
    if wanted or tree.empty_folders:
        _take(session, tree, wanted, Counter(progress, total - to_send, total))
    if progress:
        progress(total, total)
    return Sent(len(wanted), to_send, total - to_send)


def send_bytes(session: Session, data: bytes, target: str, *, mode: int = 0o644) -> None:
    """Make `data` be the file `target` on the machine, at once and with these permission bits.

    Raises:
        TransferError: It cannot be written there.
        UnreachableError: The connection broke.
    """
    root, name = posixpath.split(target)
    stage = posixpath.join(root, f"{STAGE_PREFIX}-{part_name(name)}")
    item = Item(name, 0, len(data), mode)
    request = far_end.header(root, stage, items=far_end.items_field([item]), folders=[])
    _send(session, iter([request, data, hashlib.sha256(data).digest()]))


class Counter:
    """Turns the pieces of a bundle into calls of the user's progress function."""

    def __init__(self, progress: TransferProgress | None, done_bytes: int, total_bytes: int) -> None:
        self._progress = progress
        self._done_bytes = done_bytes
        self._total_bytes = total_bytes

    def add(self, count: int) -> None:
        """`count` more bytes have gone."""
        self._done_bytes = min(self._done_bytes + count, self._total_bytes)
        if self._progress:
            self._progress(self._done_bytes, self._total_bytes)


def _wanted(session: Session, tree: LocalTree, seen: far_end.Seen) -> list[tuple[LocalFile, Item]]:
    """The files that the machine lacks, each with the number of bytes that it has staged already."""
    in_place = [file for file, (size, _) in zip(tree.files, seen.sizes, strict=True) if size == file.size_bytes]
    staged = {
        file: size for file, (_, size) in zip(tree.files, seen.sizes, strict=True) if size and size <= file.size_bytes
    }
    checks = [(file, file.path, file.size_bytes) for file in in_place]
    checks += [(file, posixpath.join(tree.stage, part_name(file.path)), size) for file, size in staged.items()]
    equal = _equal(session, tree.root, checks)
    unchanged = {file for file, same in zip(in_place, equal, strict=False) if same}
    starts = {
        file: staged[file] for (file, _, _), same in list(zip(checks, equal, strict=True))[len(in_place) :] if same
    }
    return [
        (file, Item(file.path, starts.get(file, 0), file.size_bytes, file.mode))
        for file in tree.files
        if file not in unchanged
    ]


def _equal(session: Session, root: str, checks: Sequence[tuple[LocalFile, str, int]]) -> list[bool]:
    """Whether the first bytes of each file are the same on both sides; both sides hash at the same time."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        there = pool.submit(far_end.digests, session, root, [(path, length) for _, path, length in checks])
        here = digests_of([(file.source, length) for file, _, length in checks])
        return [ours is not None and ours == theirs for ours, theirs in zip(here, there.result(), strict=True)]


def _check_space(free_bytes: int, items: Sequence[Item], root: str) -> None:
    needed = sum(item.size - item.start + BLOCK_BYTES for item in items)
    if needed > free_bytes:
        raise TransferError(
            f"{gibibytes(needed)} do not fit on the machine, where {gibibytes(free_bytes)} are free: {root}",
            hint="give the run a larger workspace (`storage:` in the run file)",
        )


def _take(session: Session, tree: LocalTree, wanted: Sequence[tuple[LocalFile, Item]], counter: Counter) -> None:
    items = far_end.items_field([item for _, item in wanted])
    request = far_end.header(tree.root, tree.stage, items=items, folders=list(tree.empty_folders))
    _send(session, _chunks(request, [(file.source, item) for file, item in wanted], counter))


def _chunks(request: bytes, sources: Sequence[tuple[Path, Item]], counter: Counter) -> Iterator[bytes]:
    yield request
    try:
        for chunk in give(sources):
            yield chunk
            counter.add(len(chunk))
    except (OSError, BundleError) as error:
        raise TransferError(
            f"cannot read what is to be sent: {error}", hint="run it again when nothing writes there"
        ) from error


def _send(session: Session, chunks: Iterator[bytes]) -> None:
    try:
        session.send(far_end.command("take"), chunks)
    except CommandFailedError as error:
        raise far_end.refusal(error) from error
