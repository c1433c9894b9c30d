"""SHA-256 of whole files whose cells arrive in any order: a thread for each file follows close behind."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

from templates.transfer.bundle import CELL_BYTES, CHUNK_BYTES, opened, part_path

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from templates.transfer.bundle import Piece


class WholeDigests:
    """Digests of the staged big files of one transfer. What a file lacks at first is told; the rest is there already.

    Cells come nearly in order, so that what is hashed was written a moment ago and is in memory still: the file is not
    read from the disk a second time.
    """

    def __init__(self, stage: Path, missing: Iterable[Piece]) -> None:
        self._stage = stage
        self._changed = threading.Condition()
        self._missing: dict[str, set[int]] = {}
        self._sizes: dict[str, int] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._found: dict[str, str | OSError] = {}
        self._over = False
        for piece in missing:
            self._sizes[piece.path] = piece.size
            cells = self._missing.setdefault(piece.path, set())
            if piece.to_send:
                cells.add(piece.start)

    def arrived(self, piece: Piece) -> None:
        """The piece is on the disk."""
        with self._changed:
            self._missing[piece.path].discard(piece.start)
            self._start(piece.path)
            self._changed.notify_all()

    def all(self) -> dict[str, str]:
        """SHA-256 in hex of each file; all of them have arrived.

        Raises:
            OSError: One cannot be read.
        """
        with self._changed:
            for path in self._sizes:
                self._start(path)
        for thread in self._threads.values():
            thread.join()
        digests = {}
        for path, found in self._found.items():
            if isinstance(found, OSError):
                raise found
            digests[path] = found
        return digests

    def stop(self) -> None:
        """Nothing more will arrive."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        for thread in self._threads.values():
            thread.join()

    def _start(self, path: str) -> None:
        if path not in self._threads:
            thread = threading.Thread(target=self._follow, args=(path,), name="llamalift-hash", daemon=True)
            self._threads[path] = thread
            thread.start()

    def _follow(self, path: str) -> None:
        try:
            self._found[path] = self._hash(path)
        except OSError as error:
            self._found[path] = error

    def _hash(self, path: str) -> str:
        digest = hashlib.sha256()
        buffer = memoryview(bytearray(CHUNK_BYTES))
        missing = self._missing[path]
        with opened(part_path(self._stage, path)) as part:
            for start in range(0, self._sizes[path], CELL_BYTES):
                with self._changed:
                    self._changed.wait_for(lambda: start not in missing or self._over)  # noqa: B023 - it is called here
                    if self._over:
                        return ""
                left = min(CELL_BYTES, self._sizes[path] - start)
                while left and (count := part.readinto(buffer[: min(left, CHUNK_BYTES)])):  # type: ignore[attr-defined]
                    digest.update(buffer[:count])
                    left -= count
        return digest.hexdigest()
