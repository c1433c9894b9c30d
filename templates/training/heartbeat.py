"""The sign of life: one small file that is replaced at every step and at every change of what the trainer does.

The agent takes a trainer for hung when this file has stayed the same for too long (templates/agent/hang.py).
"""

from __future__ import annotations

import json
import statistics
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_STEPS_REMEMBERED = 32
# Micro batches may follow each other quickly; steps are told each.
_LEAST_SECONDS = 1.0


class Heartbeat:
    """Knows phase and step on every rank; only the first one of each machine has one that writes."""

    def __init__(self, path: Path | None) -> None:
        """Replace `path` at each beat; None writes nothing."""
        self._path = path
        self._steps: deque[float] = deque(maxlen=_STEPS_REMEMBERED)
        self._began_at = 0.0
        self._written_at = 0.0
        self._micro = 0
        self.phase: str | None = None
        self.step = 0

    def enter(self, phase: str) -> None:
        """Something else begins."""
        self.phase = phase
        self._beat()

    def begin(self) -> None:
        """A step begins."""
        self._began_at, self._micro = time.monotonic(), 0

    def micro_batch(self) -> None:
        """A part of a step is done."""
        self._micro += 1
        if time.monotonic() - self._written_at >= _LEAST_SECONDS:
            self._beat()

    def end(self, step: int, phase: str) -> None:
        """`step` has ended, and `phase` follows."""
        self._steps.append(time.monotonic() - self._began_at)
        self.step, self.phase, self._micro = step, phase, 0
        self._beat()

    def _beat(self) -> None:
        if self._path is None:
            return
        self._written_at = time.monotonic()
        beat = {"phase": self.phase, "step": self.step, "micro": self._micro, "at": round(self._written_at, 3)}
        # The first step warms up and compiles: it says nothing about the next ones.
        if len(self._steps) > 1:
            beat["step_seconds"] = round(statistics.median(self._steps), 4)
        part = self._path.with_name(f".{self._path.name}.part")
        part.write_text(json.dumps(beat))
        part.replace(self._path)
