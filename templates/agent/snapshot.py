"""The answer to `status`, all but the log: what the daemon knows, put together without waiting for anything."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from templates.agent import manifest

if TYPE_CHECKING:
    from templates.agent.folder import RunFolder
    from templates.agent.metrics import Metrics
    from templates.agent.settings import Limits
    from templates.agent.state import State
    from templates.agent.supervisor import Supervisor
    from templates.agent.watchers import Checkpoints, Gpus

SCHEMA = 1


class Snapshot:
    """Knows where each part of the status comes from."""

    def __init__(
        self,
        folder: RunFolder,
        state: State,
        *,
        supervisor: Supervisor,
        metrics: Metrics,
        gpus: Gpus,
        checkpoints: Checkpoints,
    ) -> None:
        self._folder = folder
        self._state = state
        self._supervisor = supervisor
        self._metrics = metrics
        self._gpus = gpus
        self._checkpoints = checkpoints

    def take(self, now: float, agent: dict[str, Any], limits: Limits, dollars: float) -> dict[str, Any]:
        """One status document."""
        self._metrics.read()
        usage = shutil.disk_usage(self._folder.root)
        return {
            "schema": SCHEMA,
            "now": now,
            "phase": self._state.phase,
            "agent": agent,
            "step": self._step(),
            "finished_steps": self._state.finished,
            "progress": self._metrics.progress(now),
            "checkpoints": self._complete(),
            "disk": {"total_bytes": usage.total, "free_bytes": usage.free},
            "gpus": self._gpus.seen,
            "limits": self._limits(limits, dollars),
            "final": self._final(),
            "problem": self._state.problem or self._reported_problem(),
            "notes": [*self._state.notes, *self._metrics.notes],
            "losses": self._metrics.losses.points(),
            "departure": self._state.departure,
            "departures": self._state.departures,
        }

    def _step(self) -> dict[str, Any] | None:
        step, state = self._supervisor.step, self._state
        if step is None:
            return None
        return {
            "name": step.name,
            "attempt": state.attempt,
            "pid": self._supervisor.leader(),
            "started_at": state.attempt_started_at if state.attempt else state.step_started_at,
            "silent_seconds": self._supervisor.silent_seconds(),
        }

    def _complete(self) -> dict[str, Any]:
        complete = self._checkpoints.complete
        return {
            "newest_complete": complete[-1] if complete else None,
            "complete_steps": [entry["step"] for entry in complete],
            "last_save_seconds": self._metrics.last_save_seconds,
        }

    def _limits(self, limits: Limits, dollars: float) -> dict[str, Any]:
        return {
            **asdict(limits),
            "dollars_so_far": round(dollars, 4),
            "fired": self._state.fired,
        }

    def final_manifest(self) -> str | None:
        """SHA-256 of the finished model's manifest. Sizes only: whoever fetches the model compares every byte."""
        if manifest.check_manifest(self._folder.final, contents=False):
            return None
        return hashlib.sha256((self._folder.final / manifest.NAME).read_bytes()).hexdigest()

    def _final(self) -> dict[str, str] | None:
        found = self.final_manifest()
        return None if found is None else {"manifest_sha256": found}

    def _reported_problem(self) -> dict[str, str] | None:
        """What a running trainer says about itself."""
        reported = self._metrics.problem_since(self._state.attempt_started_at) if self._state.attempt_key else None
        if reported is None:
            return None
        return {"kind": str(reported["kind"]), "message": str(reported["text"]), "hint": "see the log"}
