"""Many files over several connections at once, in cells, each verified, and taken up where they stopped.

What is fetched lies in `.llamalift-pull` of the target folder until it is whole and is what its source says. What was
fetched once is known by its SHA-256 from then on, so that a second call fetches nothing that is here.
"""

from __future__ import annotations

import errno
import shutil
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from templates.training.pull.alone import alone
from templates.training.pull.digests import digests_of, is_same
from templates.training.pull.errors import ChangedError, PassingError, PullError
from templates.training.pull.known import Known
from templates.training.pull.names import STAGE, check_names, refuse_links
from templates.training.pull.staged import Staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

# Azure's storage and the usual content networks give one connection 50 to 100 MB/s; a machine takes several times that.
CONNECTIONS = 8
# A server that restarts is back within a minute; a byte that comes begins the patience anew.
PATIENCE_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a source.

    Attributes:
        path: Its name below the target, with `/`.
        size: Its size in bytes.
        version: What its source calls this very content (an ETag, say): parts of another version are not taken up.
        digests: What the source says of its content, in hex by kind (`sha256`, `md5`, `git`); may be empty.
        read: Gives its bytes from the first offset to the one before the second. Raises PassingError or PullError.
        has_ranges: Whether `read` can begin anywhere; otherwise it is read in one piece from the start.
    """

    path: str
    size: int
    version: str
    digests: Mapping[str, str]
    read: Callable[[int, int], Iterator[bytes]] = field(repr=False)
    has_ranges: bool = True


@dataclass(slots=True)
class Pulled:
    """What was done, in bytes."""

    files: int = 0
    fetched_bytes: int = 0
    kept_bytes: int = 0


def pull_files(
    target: Path,
    files: Sequence[RemoteFile],
    tell: Callable[[int, int], None],
    *,
    connections: int = CONNECTIONS,
    patience: Sequence[float] = PATIENCE_SECONDS,
) -> Pulled:
    """Bring every file below `target`; it has its name only when it is whole and what its source says.

    Args:
        target: The folder; made when it is missing.
        files: What to fetch.
        tell: Is told the bytes that are here, and all.
        connections: How many cells come at the same time.
        patience: Pauses between tries of a cell that brought nothing, in seconds.

    Raises:
        PullError: It cannot be fetched, does not fit, or is not what its source says.
    """
    check_names([file.path for file in files])
    refuse_links(target, [file.path for file in files])
    stage = target / STAGE
    try:
        with alone(stage):
            return _Pull(target, files, tell, connections, patience).carry_out()
    except OSError as error:
        kind = "space" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "other"
        raise PullError(kind, f"cannot write on the machine: {error.strerror}: {error.filename or target}") from error


class _Pull:
    """One call: what is missing comes cell by cell, and each file is finished by whoever has its last cell."""

    def __init__(
        self, target: Path, files: Sequence[RemoteFile], tell: Callable[[int, int], None], connections: int,
        patience: Sequence[float],
    ) -> None:  # fmt: skip
        self._target, self._stage = target, target / STAGE
        self._files = files
        self._tell = tell
        self._total = sum(file.size for file in files)
        self._connections, self._patience = connections, patience
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._known = Known(self._stage / "known.jsonl")
        self._here = 0
        self._wrong: list[tuple[RemoteFile, bool]] = []
        self.pulled = Pulled(len(files))

    def carry_out(self) -> Pulled:
        """Fetch what is missing."""
        with ThreadPoolExecutor(self._connections) as pool:
            kept = list(pool.map(self._is_here, self._files))
        missing = [file for file, is_here in zip(self._files, kept, strict=True) if not is_here]
        self.pulled.kept_bytes = self._total - sum(file.size for file in missing)
        self._count(self.pulled.kept_bytes)
        wrong = self._fetch(missing)
        # What a killed process has left may be wrong after a loss of power: once more, from nothing.
        again = [file for file, was_taken_up in wrong if was_taken_up]
        self._count(-sum(file.size for file in again))
        still = [file for file, was_taken_up in wrong if not was_taken_up] + [file for file, _ in self._fetch(again)]
        if still:
            raise PullError("damaged", f"not what its source says it is: {still[0].path}")
        return self.pulled

    def _is_here(self, file: RemoteFile) -> bool:
        path = self._target / file.path
        if file.digests:
            return is_same(path, file.size, file.digests)
        known = self._known.sha256_of(file.path, file.version, file.size)
        return known is not None and is_same(path, file.size, {"sha256": known})

    def _fetch(self, files: Sequence[RemoteFile]) -> list[tuple[RemoteFile, bool]]:
        """Returns those that are not what their source says, and whether anything of them was here before."""
        self._wrong = []
        all_staged = [Staged(self._stage, file.path, size=file.size, version=file.version) for file in files]
        self._check_space(all_staged)
        with ThreadPoolExecutor(self._connections) as pool:
            futures = [
                pool.submit(self._piece, file, staged, work, left)
                for file, staged in zip(files, all_staged, strict=True)
                for left in [_Countdown(len(_work(file, staged)))]
                for work in _work(file, staged)
            ]
            self._await(futures)
        return self._wrong

    def _await(self, futures: Iterable[Future[None]]) -> None:
        done, waiting = wait(futures, return_when=FIRST_EXCEPTION)
        failed = next((one for one in done if one.exception() is not None), None)
        if failed is not None:
            self._over.set()
            for one in waiting:
                one.cancel()
            failed.result()

    def _piece(self, file: RemoteFile, staged: Staged, cells: Sequence[int], left: _Countdown) -> None:
        """Fetch the cells of one request; the last piece of a file finishes it."""
        try:
            if cells:
                self._receive(file, staged, staged.span(cells[0])[0], staged.span(cells[-1])[1])
            if self._over.is_set():
                staged.close()
                return
            for cell in cells:
                staged.keep(cell)
            if left.is_last():
                self._finish(file, staged)
        except ChangedError:
            staged.discard()
            raise
        except BaseException:
            staged.close()
            raise

    def _receive(self, file: RemoteFile, staged: Staged, start: int, end: int) -> None:
        """Fetch a stretch; a connection that breaks is followed by another from where it stood."""
        at, pauses = start, iter(self._patience)
        while at < end and not self._over.is_set():
            before = at
            try:
                for data in file.read(at, end):
                    if len(data) > end - at:
                        raise PullError("damaged", f"the source sends more than it says: {file.path}")
                    staged.write(data, at)
                    at += len(data)
                    self._came(len(data))
                    if self._over.is_set():
                        return
                if at < end:
                    raise PassingError(f"it ended {end - at} bytes too early")
            except PassingError as error:
                if at > before:
                    pauses = iter(self._patience)
                if not file.has_ranges:
                    self._came(-at)
                    at = 0
                self._pause(pauses, file, error)

    def _pause(self, pauses: Iterator[float], file: RemoteFile, error: PassingError) -> None:
        seconds = next(pauses, None)
        if seconds is None:
            raise PullError("network", f"{file.path}: {error}") from error
        self._over.wait(seconds)

    def _finish(self, file: RemoteFile, staged: Staged) -> None:
        found = digests_of(staged.part, {*file.digests, "sha256"})
        if any(found[kind] != value for kind, value in file.digests.items()):
            staged.discard()
            with self._lock:
                self._wrong.append((file, staged.is_taken_up))
            return
        target = self._target / file.path
        if target.is_dir() and not target.is_symlink():
            raise PullError("other", f"there is a folder where this file belongs: {target}")
        if not file.digests:
            self._known.learn(file.path, file.version, file.size, found["sha256"])
        staged.place(target)

    def _check_space(self, all_staged: Sequence[Staged]) -> None:
        needed = sum(one.span(cell)[1] - one.span(cell)[0] for one in all_staged for cell in one.missing())
        self._count(sum(one.size for one in all_staged) - needed)
        free = shutil.disk_usage(self._stage).free
        if needed > free:
            raise PullError("space", f"{needed} bytes do not fit, free are: {free}")

    def _came(self, count: int) -> None:
        with self._lock:
            self.pulled.fetched_bytes += max(0, count)
        self._count(count)

    def _count(self, count: int) -> None:
        with self._lock:
            self._here += count
            here = self._here
        self._tell(min(here, self._total), self._total)


class _Countdown:
    """How many pieces of a file are under way."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._lock = threading.Lock()

    def is_last(self) -> bool:
        """Whether the piece that asks, which is done, was the last."""
        with self._lock:
            self._count -= 1
            return self._count == 0


def _work(file: RemoteFile, staged: Staged) -> list[Sequence[int]]:
    """What each request fetches: one cell, or without ranges all. A file that is all here has one without any."""
    missing = staged.missing()
    if file.has_ranges:
        return [(cell,) for cell in missing] or [()]
    return [range(missing[-1] + 1) if missing else ()]
