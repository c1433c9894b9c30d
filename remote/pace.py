"""How fast bytes may move and how far they are, counted for all connections of a transfer together."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remote.types import TransferProgress

# Nobody reads faster, and a terminal that is drawn for each chunk would cost more than the chunk.
_TELL_SECONDS = 0.1
# What may go at once after a pause, in seconds of the limit.
_BURST_SECONDS = 0.25


class Pace:
    """Holds a limit and tells the user's progress function."""

    def __init__(
        self,
        progress: TransferProgress | None,
        done_bytes: int,
        total_bytes: int,
        *,
        limit_bytes_per_second: float | None = None,
    ) -> None:
        self._progress = progress
        self._done_bytes = done_bytes
        self._total_bytes = total_bytes
        self._limit = limit_bytes_per_second
        self._lock = threading.Lock()
        self._told_at = 0.0
        self._free_at = 0.0

    def add(self, count: int) -> None:
        """`count` more bytes move: told, and held back for as long as the limit wants."""
        with self._lock:
            now = time.monotonic()
            self._done_bytes = min(self._done_bytes + count, self._total_bytes)
            if self._progress and now - self._told_at >= _TELL_SECONDS:
                self._told_at = now
                self._progress(self._done_bytes, self._total_bytes)
            if self._limit is None:
                return
            self._free_at = max(self._free_at, now - _BURST_SECONDS) + count / self._limit
            pause = self._free_at - now
        if pause > 0:
            time.sleep(pause)

    def finish(self) -> None:
        """All bytes are there."""
        with self._lock:
            if self._progress:
                self._progress(self._total_bytes, self._total_bytes)
