"""Leaving a machine that the platform takes away: decide once, write it down, act, and acknowledge last.

Acknowledging gives up the rest of the notice, so that it comes after whatever the notice was good for, and after the
record of it, which the next start of the machine (or another machine with the same disk) completes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from templates.agent import atomic, manifest, notice
from templates.agent.notice import Decision, Drain, Work
from templates.agent.supervisor import EVICTION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from templates.agent.events import Event, ScheduledEvents
    from templates.agent.folder import RunFolder
    from templates.agent.metrics import Metrics
    from templates.agent.state import State
    from templates.agent.supervisor import Supervisor

# A machine that is still there so long after it was given back was not taken: its job goes on.
_STAYS_SECONDS = 300.0
# For the record and the acknowledgement of a step that had to be ended.
_LAST_SECOND = 1.0
_DRAIN_SILENT_SECONDS = 15.0
_MOST_REMEMBERED = 100
_WORDS = {
    notice.SAVE: "saving a checkpoint first",
    notice.DRAIN: "waiting for the checkpoint on scratch to be durable",
    notice.DECLINE: "no checkpoint can be made in time, the newest one counts",
    notice.NOTHING: "nothing to save",
}


class Departure:
    """What this machine does with each notice, and what it did with the last one before it went down."""

    def __init__(
        self,
        folder: RunFolder,
        state: State,
        supervisor: Supervisor,
        metrics: Metrics,
        save: Callable[[], None],
        *,
        say: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._state = state
        self._supervisor = supervisor
        self._metrics = metrics
        self._save = save
        self._say = say

    def remember(self, boot: str, now: float) -> None:
        """Complete the record of the start before this one, where it ended while the job was on."""
        state = self._state
        if state.boot == boot:
            return
        before = state.departure
        if state.boot is not None and (before is not None or state.phase == "running"):
            self._close(before or {"kind": "unannounced", "what": notice.NOTHING, "reason": "no notice was seen"}, now)
        elif state.fired is not None:
            self._close({"kind": "limit", "what": notice.NOTHING, "reason": state.fired}, now)
        state.boot, state.departure = boot, None
        self._save()

    def heed(self, events: ScheduledEvents, now: float) -> None:
        """Look once and do what is due."""
        for event in events.freezes():
            if now >= self._state.frozen_until:
                self._say(f"the platform freezes this machine for a moment ({event.id}): the job goes on")
            self._state.frozen_until = max(self._state.frozen_until, event.ends_at + _STAYS_SECONDS)
        record = self._state.departure
        if record is None:
            announced = events.ending()
            if announced is not None:
                self._begin(announced, now)
        elif record["acknowledged_at"] is None:
            self._proceed(record, events, now)
        elif now >= max(record["ends_at"], record["acknowledged_at"]) + _STAYS_SECONDS:
            self._stay(record, "it did not come", now)

    def _begin(self, event: Event, now: float) -> None:
        """Decide, and make that durable before anything follows from it."""
        self._metrics.read()
        work = self._work(now)
        decision = notice.decide(work, event.ends_at - now)
        self._state.departure = {
            "id": event.id,
            "kind": event.kind,
            "seen_at": event.seen_at,
            "ends_at": event.ends_at,
            "notice_seconds": round(event.ends_at - event.seen_at, 1),
            "what": decision.what,
            "reason": decision.reason,
            "step": work.step,
            "saved_step": work.saved_step,
            "acknowledged_at": None,
        }
        self._save()
        self._tell(event, decision)
        if decision.what == notice.SAVE:
            self._supervisor.stop(EVICTION, now, kill_at=event.ends_at - _LAST_SECOND)

    def _tell(self, event: Event, decision: Decision) -> None:
        what = "eviction" if event.kind == "Preempt" else f"{event.kind} by the platform"
        self._say(f"{what} {event.id}: {_WORDS[decision.what]} ({decision.reason})")

    def _proceed(self, record: dict[str, Any], events: ScheduledEvents, now: float) -> None:
        if events.answers and not events.is_on(record["id"]):
            # While a step is being stopped, it is left to end: asked once, a trainer leaves.
            if record["what"] != notice.SAVE or self._supervisor.step is None:
                self._stay(record, "it was called off", now)
            return
        if now < record["ends_at"] and not self._is_ready(record, now):
            return
        self._metrics.read()
        record["acknowledged_at"], record["step"], record["saved_step"] = now, self._step(), self._saved_step()
        self._save()
        self._say(f"eviction {record['id']}: the machine may go")
        events.acknowledge(record["id"])

    def _is_ready(self, record: dict[str, Any], now: float) -> bool:
        """Whether the rest of the notice is good for nothing any more."""
        if record["what"] == notice.SAVE and self._supervisor.step is not None:
            return False
        drain = self._drain(now)
        return record["what"] not in {notice.SAVE, notice.DRAIN} or drain is None or drain.left_bytes <= 0

    def _stay(self, record: dict[str, Any], why: str, now: float) -> None:
        """The machine was not taken; a job that was stopped for it goes on."""
        self._say(f"eviction {record['id']}: {why}, the job goes on")
        self._supervisor.go_on()
        self._close({**record, "kind": f"{record['kind']} ({why})"}, now)
        self._state.departure = None
        self._save()

    def _close(self, record: dict[str, Any], now: float) -> None:
        """Keep what the end of a start has cost."""
        self._metrics.read()
        state = self._state
        step, saved = self._step(), self._saved_step()
        done = {
            **record,
            "step": step if step is not None else record.get("step"),
            "saved_step": saved,
            "lost_steps": max(0, step - (saved or 0)) if step is not None else 0,
            "step_seconds": self._times()[0],
            "closed_at": now,
            "resumed_at": None,
        }
        state.departures = [*state.departures, done][-_MOST_REMEMBERED:]

    def note_resumed(self, now: float) -> None:
        """Training has come further than its start: the last departure is over."""
        last = self._state.departures[-1] if self._state.departures else None
        if last is None or last["resumed_at"] is not None:
            return
        is_under_way = self._state.attempt_started_at >= last["closed_at"]
        if self._state.phase == "done" or (is_under_way and (self._step() or 0) > (last["saved_step"] or 0)):
            last["resumed_at"] = now
            self._save()

    def _work(self, now: float) -> Work:
        step_seconds, save_seconds = self._times()
        return Work(
            is_running=self._supervisor.step is not None,
            is_loading=(self._beat().get("phase") or self._metrics.phase) == "loading",
            step=self._step(),
            saved_step=self._saved_step(),
            step_seconds=step_seconds,
            since_step=now - self._metrics.last_step_at,
            save_seconds=save_seconds,
            since_save=self._since_save(now),
            drain=self._drain(now),
        )

    def _step(self) -> int | None:
        """The newest step of the attempt under way, or of the one that the machine went down under."""
        told = self._metrics.step if self._metrics.last_step_at >= self._state.attempt_started_at else None
        # Not every step may be logged, but each is a sign of life.
        beat = self._beat().get("step")
        return max((step for step in (told, beat) if step), default=None)

    def _times(self) -> tuple[float | None, float | None]:
        """Seconds of a step and of a save: measured by the trainer, else as far as they can be told from here."""
        try:
            measured = json.loads((self._folder.checkpoints / "save-times.json").read_text())
            step, save = float(measured["step_seconds"]), float(measured["save_seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            step, save = 0.0, 0.0
        planned = self._state.job.get("save_seconds") if self._state.job else None
        usual = self._beat().get("step_seconds") or self._metrics.step_seconds
        return step or usual, save or self._metrics.last_save_seconds or planned

    def _saved_step(self) -> int | None:
        """By its manifest, which is written last: to read the whole checkpoint takes longer than a notice."""
        folders = manifest.checkpoint_folders(self._folder.checkpoints)
        return next((step for step, path in folders if (path / manifest.NAME).is_file()), None)

    def _since_save(self, now: float) -> float | None:
        """How long a save has been going on; None when none is. By the sign of life, or the folder it writes into."""
        if self._beat().get("phase") == "saving":
            return now - self._beat_path().stat().st_mtime
        begun = [path.stat().st_mtime for path in self._folder.checkpoints.glob(".staging-*")]
        # One that a killed attempt left is no save that goes on.
        live = [began_at for began_at in begun if began_at >= self._state.attempt_started_at]
        return now - max(live) if live else None

    def _beat_path(self) -> Path:
        return self._folder.attempt(self._state.attempt_key or "none") / "heartbeat.json"

    def _beat(self) -> dict[str, Any]:
        """The newest sign of life of the attempt under way; empty without one."""
        try:
            return atomic.read_json(self._beat_path()) or {}
        except ValueError:  # the disk was full
            return {}

    def _drain(self, now: float) -> Drain | None:
        """What is on its way from scratch to the durable disk, as its own program tells it."""
        told = atomic.read_json(self._folder.root / "drain.json")
        try:
            if told is None:
                return None
            total, done = float(told["bytes"]), float(told["done_bytes"])
            # One that has not moved for so long was cut off; its speed still tells how long the next one takes.
            left = total - done if now - float(told["updated_at"]) < _DRAIN_SILENT_SECONDS else 0.0
            return Drain(int(told["step"]), left, total, float(told["bytes_per_second"]))
        except (KeyError, TypeError, ValueError):
            return None
