"""Files from the machine: exactly those of a manifest, each verified against it before it appears here."""

from __future__ import annotations

import io
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from remote import far_end
from remote.errors import TransferError
from remote.paths import check_manifest
from remote.text import gibibytes
from remote.transfer import BLOCK_BYTES, Counter
from templates.transfer.bundle import (
    CHUNK_BYTES,
    STAGE_PREFIX,
    BundleError,
    CutShortError,
    DamagedError,
    Item,
    digests_of,
    part_name,
    take,
)
from templates.transfer.bundle import look as look_here

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from _typeshed import WriteableBuffer

    from remote.running import RunningCommand
    from remote.session import Session
    from remote.types import FileDigest, TransferProgress

_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a transfer home did.

    Attributes:
        files: Files received (those already here and right are not).
        bytes_received: Content bytes that came over the line.
        bytes_skipped: Content bytes that were here already.
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
) -> Fetched:
    """Bring the files of `manifest` from the folder `source` on the machine into the folder `target` here.

    A file appears under its name only when its SHA-256 is the manifest's; nothing that the manifest does not name is
    written. After a broken connection the same call continues, within a file too.

    Raises:
        TransferError: The manifest is not to be trusted, the files do not fit here or are not what it says.
        UnreachableError: The connection broke.
    """
    check_manifest(manifest)
    _refuse_links(target, manifest)
    try:
        wanted = _wanted(session, source, target, manifest)
        _check_space(target, wanted)
        total = sum(file.size_bytes for file in manifest)
        to_receive = sum(item.size - item.start for item in wanted)
        if wanted:
            expected = {file.path: file.sha256 for file in manifest}
            counter = Counter(progress, total - to_receive, total)
            with session.start(far_end.command("give")) as running:
                running.write(far_end.header(source, source, items=far_end.items_field(wanted)))
                running.close_stdin()
                _receive(running, target, wanted, expected, counter)
    except OSError as error:
        raise TransferError(f"cannot write here: {error.filename or target}: {error.strerror}") from error
    if progress:
        progress(total, total)
    return Fetched(len(wanted), to_receive, total - to_receive)


class _Output(io.RawIOBase):
    """A running command's standard output as a stream that `io.BufferedReader` can wrap."""

    def __init__(self, running: RunningCommand) -> None:
        super().__init__()
        self._running = running

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._running.read(len(view))
        view[: len(data)] = data
        return len(data)


def _wanted(session: Session, source: str, target: Path, manifest: Sequence[FileDigest]) -> list[Item]:
    """What is not here yet, each with the number of bytes that are staged here and right."""
    stage = target / STAGE_PREFIX
    sizes = look_here(target, stage, [file.path for file in manifest])["sizes"]
    in_place = [file for file, (size, _) in zip(manifest, sizes, strict=True) if size == file.size_bytes]
    here = digests_of([(target / file.path, file.size_bytes) for file in in_place])
    unchanged = {file.path for file, digest in zip(in_place, here, strict=True) if digest == file.sha256}
    staged = {
        file.path: size
        for file, (_, size) in zip(manifest, sizes, strict=True)
        if size and size <= file.size_bytes and file.path not in unchanged
    }
    ours = digests_of([(stage / part_name(path), size) for path, size in staged.items()])
    theirs = far_end.digests(session, source, list(staged.items()))
    starts = {path: staged[path] for path, a, b in zip(staged, ours, theirs, strict=True) if a is not None and a == b}
    return [
        Item(file.path, starts.get(file.path, 0), file.size_bytes, _MODE)
        for file in manifest
        if file.path not in unchanged
    ]


def _check_space(target: Path, wanted: Sequence[Item]) -> None:
    needed = sum(item.size - item.start + BLOCK_BYTES for item in wanted)
    target.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target).free
    if needed > free:
        raise TransferError(
            f"{gibibytes(needed)} do not fit here, where {gibibytes(free)} are free: {target}",
            hint="free some space, or collect into another folder",
        )


def _refuse_links(target: Path, manifest: Sequence[FileDigest]) -> None:
    for folder in {parent for file in manifest for parent in (target / file.path).parents}:
        if folder != target and folder.is_relative_to(target) and folder.is_symlink():
            raise TransferError(f"a symbolic link is in the way: {folder}")


def _receive(
    running: RunningCommand, target: Path, wanted: Sequence[Item], expected: dict[str, str], counter: Counter
) -> None:
    stream = io.BufferedReader(_Output(running), CHUNK_BYTES)
    try:
        take(stream, wanted, target, stage=target / STAGE_PREFIX, expected=expected, on_bytes=counter.add)
    except CutShortError as error:
        # The machine's side knows why, unless the connection broke, which `wait` finds out.
        exit_code = running.wait()
        if exit_code != 0:
            raise far_end.refusal(running.failure(exit_code)) from error
        raise TransferError(f"the machine sent too little: {error}") from error
    except DamagedError as error:
        raise TransferError(f"not what the machine's manifest says: {error}", hint="run it again") from error
    except BundleError as error:
        raise TransferError(f"cannot keep what the machine sends: {error}") from error
