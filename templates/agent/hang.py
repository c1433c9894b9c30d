"""Has it hung? How long a trainer may go without a sign of life, and how long it has.

The trainer replaces `heartbeat.json` in its attempt's records at every step and at every change of what it does
(templates/training/heartbeat.py). Silence is counted in the agent's own waking time: a computer that was suspended, or
a clock that was set, adds nothing to it.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from templates.agent import atomic
from templates.agent.processes import catches, signal_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

# Between two looks of the agent more time than this has passed only if it slept, too.
_AWAKE_SECONDS = 5.0
_SAVING = {"saving", "saving_final", "draining"}


@dataclass(frozen=True, slots=True)
class HangLimits:
    """How long a step of the job may be silent.

    Attributes:
        times_median: In training: so many times its usual (median) step.
        least_seconds: But never less than this.
        start_seconds: While it loads, and in the first step after that, which may compile.
        save_seconds: What one save should take; it may take `times_median` times that on top of `least_seconds`.
        grace_seconds: When it has hung: so long it may save and leave, should it only be slow, until it is killed.
    """

    times_median: float = 10.0
    least_seconds: float = 600.0
    start_seconds: float = 3600.0
    save_seconds: float = 0.0
    grace_seconds: float = 30.0

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> HangLimits | None:
        """Read a step's `hang`; None when the step has none: then it is never taken for hung."""
        return None if value is None else cls(**{name: float(seconds) for name, seconds in value.items()})

    def allowed_seconds(self, beat: Mapping[str, Any] | None) -> float:
        """The longest silence after `beat`, the newest heartbeat (None before the first)."""
        phase, usual = (beat or {}).get("phase"), float((beat or {}).get("step_seconds") or 0)
        if phase in _SAVING:
            return self.least_seconds + self.times_median * self.save_seconds
        if phase == "training" and usual:
            return max(self.least_seconds, self.times_median * usual)
        return max(self.least_seconds, self.start_seconds)


class Silence:
    """How long the attempt under way has given no sign of life."""

    def __init__(self) -> None:
        self._records: Path | None = None
        self._looked_at = 0.0
        self.beat: dict[str, Any] | None = None
        self.seconds = 0.0

    def look(self, records: Path, monotonic: float | None = None) -> None:
        """Read the newest heartbeat; to be called often (each second)."""
        now = time.monotonic() if monotonic is None else monotonic
        try:
            beat = atomic.read_json(records / "heartbeat.json")
        except ValueError:
            beat = self.beat  # a disk that was full: an empty file is no sign of life
        if records != self._records or beat != self.beat:
            self._records, self.beat, self.seconds = records, beat, 0.0
        else:
            self.seconds += min(now - self._looked_at, _AWAKE_SECONDS)
        self._looked_at = now

    def words(self) -> str:
        """What is known, for the user."""
        beat = self.beat or {}
        usual = f" (a usual step takes {beat['step_seconds']:.1f} s)" if beat.get("step_seconds") else ""
        return f"no sign of life for {self.seconds:.0f} s in {beat.get('phase', 'start')} after step {self.step}{usual}"

    @property
    def step(self) -> int:
        """The last step that was trained."""
        return int((self.beat or {}).get("step") or 0)


def ask_for_stacks(pids: Iterable[int]) -> int:
    """Have each Python that listens for it print where it stands (SIGUSR1, faulthandler); how many do."""
    listening = [pid for pid in pids if catches(pid, signal.SIGUSR1)]
    signal_all(listening, signal.SIGUSR1)
    return len(listening)
