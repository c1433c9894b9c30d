"""How fast bytes may go, and how fast they went. Standard library only."""

from __future__ import annotations

import time


class Pace:
    """Counts bytes from its making on, and holds them to a rate."""

    def __init__(self, most_bytes_per_second: float = 0.0) -> None:
        """Let at most `most_bytes_per_second` through; 0 is no limit."""
        self._most = most_bytes_per_second
        self._began = time.monotonic()
        self._bytes = 0

    @property
    def bytes_per_second(self) -> float:
        """The mean since the beginning, 0 before any byte."""
        return self._bytes / max(time.monotonic() - self._began, 1e-9)

    def passed(self, count: int) -> None:
        """`count` bytes went through: wait until they may have."""
        self._bytes += count
        if self._most > 0:
            time.sleep(max(0.0, self._began + self._bytes / self._most - time.monotonic()))
