"""What the trainer tells the agent: one JSON object per line in metrics.jsonl, and the same in words in the log."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING

from templates.training.heartbeat import Heartbeat

if TYPE_CHECKING:
    from pathlib import Path


class Metrics:
    """Appends events; only rank 0 has one that writes."""

    def __init__(self, path: Path | None, heartbeat: Heartbeat | None = None) -> None:
        """Append to `path`; None writes nothing. Phases are told to `heartbeat` as well."""
        self._path = path
        self.heartbeat = heartbeat or Heartbeat(None)

    def event(self, event: str, **facts: object) -> None:
        """Append one event with its facts; figures that are not finite become null."""
        if self._path is None:
            return
        line = {"t": round(time.time(), 3), "event": event} | {name: _finite(fact) for name, fact in facts.items()}
        # One write of one line in append mode: a reader never sees half of two.
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")

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
        self._say(f"phase: {name}")

    def _say(self, text: str) -> None:
        if self._path is not None:
            print(text, flush=True)  # noqa: T201 - the log is the trainer's standard output


def _finite(fact: object) -> object:
    return None if isinstance(fact, float) and not math.isfinite(fact) else fact
