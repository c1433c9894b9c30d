"""A program of the trainer's own that runs beside it, started again when it dies, gone when the trainer is."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# One that dies at once must not be started in every step.
_LEAST_SECONDS_BETWEEN_STARTS = 10.0


class Background:
    """`python -m MODULE WORDS…`; the module sees to it that it ends with its parent."""

    def __init__(self, module: str, words: Sequence[str], now: Callable[[], float] = time.monotonic) -> None:
        """Keep `module` running once `ensure` is called."""
        self._argv = [sys.executable, "-m", module, *words]
        self._now = now
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0

    def ensure(self) -> None:
        """Start it, unless it runs."""
        if self._process is not None and (
            self._process.poll() is None or self._now() - self._started_at < _LEAST_SECONDS_BETWEEN_STARTS
        ):
            return
        self._process = subprocess.Popen(self._argv, stdin=subprocess.DEVNULL)
        self._started_at = self._now()

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
