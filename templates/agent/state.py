"""What the agent must not forget: state.json, written before and after everything that must not happen twice."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from templates.agent import atomic

if TYPE_CHECKING:
    from pathlib import Path

_MAX_NOTES = 50


@dataclass
class State:
    """The agent's memory. Times in seconds since the epoch.

    Attributes:
        phase: `waiting`, `running`, `done`, `failed` or `stopped`.
        job: The job as it was when it was started.
        job_digest: SHA-256 of its job.json.
        step_index: Which step runs or ran last.
        attempt: Count of starts of this step; 0 before the first.
        attempt_key: Name of the attempt under way, or None.
        crashes: Those of this step that count against its max_restarts.
        step_started_at: Start of the step's first attempt.
        attempt_started_at: Start of the attempt under way.
        log_offset: Size of the log at that moment.
        oom_kills: How many processes the kernel had ended for want of memory by then.
        retry_at: A failed step is started again then.
        stop: Why and until when the step is being stopped: `{"reason", "kill_at", "asked"}`.
        finished: Finished steps: `{"name", "seconds", "attempts"}`.
        ended_at: When the job ended.
        problem: `{"kind", "message", "hint"}` or None.
        fired: The limit that ended compute, or None.
        fired_boot: During which start of the machine.
        fired_at: And when.
        budget_level: Per cent of the dollar cap that the user was warned about.
        evicted_boot: The start of the machine that was evicted; the job goes on at the next.
        notes: What happened, one line each, with the time.
        halvings: How often the rows that are in memory at once were halved; also for the same step of a later job.
        halved_argv: The command line that this is about.
        stalled: Failures of this step since its last progress, by kind.
        reached: Step of the newest complete checkpoint, and the last one trained, at the last failure.
        waits: Failures since there was a newer checkpoint.
        boot: The start of the machine that this was written in.
        departure: What is done with a notice that the machine is taken away, while that is on (departure.py).
        departures: The same of earlier starts, with the steps that they lost, oldest first.
        frozen_until: Until then a step may stand still because the platform froze the machine.
    """

    phase: str = "waiting"
    job: dict[str, Any] | None = None
    job_digest: str | None = None
    step_index: int = 0
    attempt: int = 0
    attempt_key: str | None = None
    crashes: int = 0
    step_started_at: float | None = None
    attempt_started_at: float = 0.0
    log_offset: int = 0
    oom_kills: int = 0
    retry_at: float = 0.0
    stop: dict[str, Any] | None = None
    finished: list[dict[str, Any]] = field(default_factory=list)
    ended_at: float | None = None
    problem: dict[str, str] | None = None
    fired: str | None = None
    fired_boot: str | None = None
    fired_at: float = 0.0
    budget_level: int = 0
    evicted_boot: str | None = None
    notes: list[str] = field(default_factory=list)
    halvings: int = 0
    halved_argv: list[str] = field(default_factory=list)
    stalled: dict[str, int] = field(default_factory=dict)
    reached: list[int] = field(default_factory=lambda: [0, 0])
    waits: int = 0
    boot: str | None = None
    departure: dict[str, Any] | None = None
    departures: list[dict[str, Any]] = field(default_factory=list)
    frozen_until: float = 0.0

    @classmethod
    def load(cls, path: Path) -> State:
        """The state of an earlier life of the agent, or a new one; fields of later versions are dropped."""
        saved = atomic.read_json(path) or {}
        known = {entry.name for entry in fields(cls)}
        return cls(**{name: value for name, value in saved.items() if name in known})

    def note(self, line: str) -> None:
        """Remember one line."""
        self.notes = [*self.notes, line][-_MAX_NOTES:]


class StateFile:
    """Saves a state when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._saved = ""

    def save(self, state: State) -> None:
        """Durable when this returns."""
        value = asdict(state)
        text = json.dumps(value, sort_keys=True)
        if text != self._saved:
            atomic.write_json(self._path, value)
            self._saved = text
