"""Tells the user what is being waited for while several things are made side by side."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.types import Progress


class Activity:
    """Keeps the list of what is under way and shows it whenever it changes. Thread-safe."""

    def __init__(self, verb: str, progress: Progress) -> None:
        self._verb = verb
        self._progress = progress
        self._lock = threading.Lock()
        self._under_way: dict[str, None] = {}

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        """Show `what` while the block runs."""
        with self._lock:
            self._under_way[what] = None
            self._show()
        try:
            yield
        finally:
            with self._lock:
                self._under_way.pop(what, None)
                self._show()

    def _show(self) -> None:
        if self._under_way:
            self._progress(f"{self._verb} {', '.join(self._under_way)}")
