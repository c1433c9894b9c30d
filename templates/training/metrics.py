"""What the trainer tells the agent: one JSON object per line in metrics.jsonl, and the same in words in the log."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections import deque
from typing import TYPE_CHECKING

from templates.training.heartbeat import Heartbeat

if TYPE_CHECKING:
    from pathlib import Path

# Events that wait for room on a full disk; older ones are given up.
_MAX_WAITING = 1000


class Metrics:
    """Appends events; only rank 0 has one that writes. A full disk delays them and stops nothing."""

    def __init__(self, path: Path | None, heartbeat: Heartbeat | None = None) -> None:
        """Append to `path`; None writes nothing. Phases are told to `heartbeat` as well."""
        self._path = path
        self.heartbeat = heartbeat or Heartbeat(None)
        self._waiting: deque[bytes] = deque(maxlen=_MAX_WAITING)
        # What is missing of a line that a full disk cut, or at first the end of one that a killed process left.
        self._rest = b"\n" if path and _ends_in_mid_line(path) else b""

    @property
    def run_folder(self) -> Path | None:
        """Where the run keeps everything; None on ranks that write nothing."""
        return self._path.parent if self._path else None

    def event(self, event: str, **facts: object) -> None:
        """Append an event, its facts and the stage of `train` that runs; figures that are not finite become null."""
        if self._path is None:
            return
        line = {"t": round(time.time(), 3), "event": event} | {name: _finite(fact) for name, fact in facts.items()}
        if stage := os.environ.get("LLAMALIFT_STAGE"):
            line["stage"] = stage
        self._waiting.append(json.dumps(line, allow_nan=False).encode() + b"\n")
        # A full disk cuts a line anywhere; the next event that finds room goes on with it.
        with contextlib.suppress(OSError), self._path.open("ab", buffering=0) as file:
            while self._rest or self._waiting:
                self._rest = self._rest or self._waiting.popleft()
                self._rest = self._rest[file.write(self._rest) :]

    def note(self, text: str) -> None:
        """Tell something that the user would want to know of."""
        self.event("note", text=text)
        self._say(f"note: {text}")

    def problem(self, kind: str, text: str) -> None:
        """Tell what ends the training; `kind` is a fixed word (templates/agent/answers.py)."""
        self.event("problem", kind=kind, text=text)
        self._say(f"problem: {text}")

    def warn(self, kind: str, text: str) -> None:
        """Tell that something is wrong, with which training goes on."""
        self.event("problem", kind=kind, text=text, warning=True)
        self._say(f"warning: {text}")

    def phase(self, name: str) -> None:
        """Tell what begins now."""
        self.heartbeat.enter(name)
        self.event("phase", name=name)
        stage = os.environ.get("LLAMALIFT_STAGE")
        # `llamalift logs --stage` goes by these lines.
        self._say(f"phase: {name} ({stage})" if stage else f"phase: {name}")

    def _say(self, text: str) -> None:
        if self._path is not None:
            print(text, flush=True)  # noqa: T201 - the log is the trainer's standard output


def _ends_in_mid_line(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() != b"\n"
    except OSError:
        # There is none yet, or it is empty.
        return False


def _finite(fact: object) -> object:
    return None if isinstance(fact, float) and not math.isfinite(fact) else fact
