"""The daemon: once a second it moves the job on, holds the limits, heeds evictions, and says how things stand."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

from templates.agent import atomic, ending, limits, watchers
from templates.agent.clock import SteadyClock
from templates.agent.departure import Departure
from templates.agent.events import ScheduledEvents
from templates.agent.imds import Imds
from templates.agent.meter import MeterFile
from templates.agent.metrics import Metrics
from templates.agent.processes import boot_id, identity
from templates.agent.settings import limits_now, read_settings
from templates.agent.snapshot import Snapshot
from templates.agent.state import State, StateFile
from templates.agent.supervisor import Supervisor, backoff_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from templates.agent.folder import RunFolder
    from templates.agent.settings import Limits

# An accepted deallocation takes minutes; after this long it is asked for again.
_ENDING_PATIENCE_SECONDS = 600.0


class Daemon:
    """Everything of one run on this machine. There is one at a time: `only_one` holds the lock."""

    def __init__(self, folder: RunFolder, *, owns_machine: bool) -> None:
        self._folder = folder
        self._settings = read_settings(folder.settings)
        self._owns_machine = owns_machine
        self._clock = SteadyClock()
        self._boot = boot_id()
        self._state = State.load(folder.state)
        self._file = StateFile(folder.state)
        started = self._settings.machine_started_at or self._settings.created_at
        self._meter = MeterFile(folder.meter, started_at=started, boot=self._boot)
        self._agent = {"pid": os.getpid(), "started_at": time.time(), "identity": identity(os.getpid())}
        self._quiet_since = self._clock.now()
        self._ending_again_at = 0.0
        self._leaving = threading.Event()
        self._reported = ""
        self._metrics = Metrics(folder.metrics)
        self._supervisor = Supervisor(folder, self._state, self._metrics, self._save, say=self._say, log=self._log)
        self._imds = Imds.of_this_machine(owns_machine=owns_machine)
        self._events = None if self._imds is None else self._listen(self._imds)
        self._departure = Departure(folder, self._state, self._supervisor, self._metrics, self._save, say=self._say)
        self._gpus = watchers.Gpus()
        self._visitors = watchers.Visitors()
        self._checkpoints = watchers.Checkpoints(folder.checkpoints, folder.checked)
        self._snapshot = Snapshot(
            folder,
            self._state,
            supervisor=self._supervisor,
            metrics=self._metrics,
            gpus=self._gpus,
            checkpoints=self._checkpoints,
        )

    def _listen(self, imds: Imds) -> ScheduledEvents:
        return ScheduledEvents(imds, self._clock.now, say=self._say, log=self._log)

    def serve(self) -> None:
        """Go on until SIGTERM, or until the run's folder is gone from a local machine. The steps go on without it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._leaving.set())
        for look in self._looks():
            watchers.Watcher(look).start()
        pause = float(os.environ.get("LLAMALIFT_TICK_SECONDS", "1"))
        while not self._leaving.is_set() and (self._owns_machine or self._folder.root.exists()):
            self._tick(self._clock.now())
            self._leaving.wait(pause)

    def _looks(self) -> Iterator[Callable[[], float | None]]:
        yield self._gpus.look
        yield self._checkpoints.look
        if self._events is not None:
            yield self._events.look
        if self._owns_machine:  # on a computer that is not ours, other people's sign-ins are none of our business
            yield self._visitors.look

    def _tick(self, now: float) -> None:
        # First of all: how far the last start came, and what ended it, is told by what it left.
        self._do(lambda at: self._departure.remember(self._boot, at), now)
        duties = [self._move_job, self._heed_stop, self._heed_eviction, self._hold_limits]
        for duty in (*(duties if self._state.fired is None else [self._end_compute]), self._count, self._publish):
            self._do(duty, now)

    def _do(self, duty: Callable[[float], None], now: float) -> None:
        try:
            duty(now)
        except Exception as error:  # noqa: BLE001 - whatever fails (a full disk, say), the limits must be held
            self._report(error)

    def _report(self, error: Exception) -> None:
        """Once per kind of trouble, not once per second."""
        what = f"{type(error).__name__}: {error}"
        if what != self._reported:
            self._reported = what
            self._say(f"trouble in the agent: {what}")
            with contextlib.suppress(OSError):  # its own output may lie on the full disk
                traceback.print_exception(error)

    def _move_job(self, now: float) -> None:
        self._supervisor.tick(now)
        self._departure.note_resumed(now)
        self._save()

    def _count(self, now: float) -> None:
        self._meter.tick(now, self._boot)
        self._warn(now)
        self._save()

    def _warn(self, now: float) -> None:
        """Half of the dollars, most of them, nearly all: each is told once; a raised cap begins anew."""
        dollars, cap = self._dollars(now), self._limits().dollars_cap
        level = limits.budget_level(dollars, cap)
        if level > self._state.budget_level:
            self._say(f"{level} % of the dollar cap is spent: ${dollars:.2f} of ${cap:.2f}")
        self._state.budget_level = level

    def _heed_stop(self, now: float) -> None:
        request = self._folder.control / "stop"
        if request.exists():
            self._supervisor.stop("asked by the client", now)
            self._save()
            request.unlink()

    def _heed_eviction(self, now: float) -> None:
        if self._events is not None:
            self._departure.heed(self._events, now)

    def _hold_limits(self, now: float) -> None:
        reason = limits.due(self._limits(), self._situation(now))
        if reason is None:
            return
        if self._supervisor.step is not None:
            self._supervisor.stop(f"limit: {reason}", now)
            return
        self._state.fired, self._state.fired_boot, self._state.fired_at = reason, self._boot, now
        self._say(f"limit reached: {reason}")
        self._save()

    def _end_compute(self, now: float) -> None:
        if self._is_wanted_again(now):
            self._say(f"wanted again after: {self._state.fired}")
            self._state.fired = self._state.fired_boot = None
            return
        if now < self._ending_again_at:
            return
        group_of = self._settings.run_id if self._may_discard(now) else None
        accepted = ending.end_compute(
            self._imds, owns_machine=self._owns_machine, say=self._say, with_group_of=group_of
        )
        self._ending_again_at = self._clock.now() + (_ENDING_PATIENCE_SECONDS if accepted else backoff_seconds())

    def _may_discard(self, now: float) -> bool:
        """Whether everything may go and not only the compute. What ends a run is a limit, never this."""
        final = self._snapshot.final_manifest()
        # One word for each destination: from the client for its home, from the job for blob storage.
        words = (self._state.job or {}).get("promised") or ["collected"]
        told = [(atomic.read_json(self._folder.control / word) or {}).get("manifest_sha256") for word in words]
        forgotten_since = max(
            self._state.ended_at or now, self._settings.created_at, _changed_at(self._folder.client_seen),
            self._visitors.seen_at,
        )  # fmt: skip
        return limits.may_discard(
            now,
            is_collected=final is not None and all(sha256 == final for sha256 in told),
            forgotten_since=forgotten_since,
            discard_after_seconds=self._settings.discard_after_seconds,
        )

    def _is_wanted_again(self, now: float) -> bool:
        """A machine that was started again after a limit had ended it, or whose client has raised the limit since."""
        if self._state.fired_boot != self._boot:
            return True
        extended_at = _changed_at(self._folder.control / "extend")
        return extended_at > self._state.fired_at and limits.due(self._limits(), self._situation(now)) is None

    def _limits(self) -> Limits:
        return limits_now(self._settings, self._folder)

    def _situation(self, now: float) -> limits.Situation:
        meter, state = self._meter.meter, self._state
        seen_at = max(_changed_at(self._folder.client_seen), self._visitors.seen_at)
        if self._supervisor.step is not None:
            self._quiet_since = now
        return limits.Situation(
            now=now,
            up_since=meter.up_since,
            dollars=self._dollars(now),
            started_again=meter.earlier_seconds > 0,
            # A machine that is about to be taken away is not idle: what it ran goes on elsewhere.
            step_running=self._supervisor.step is not None or state.departure is not None,
            job_ended_at=state.ended_at,
            quiet_since=max(self._quiet_since, seen_at),
            client_seen_at=max(seen_at, meter.up_since),
        )

    def _dollars(self, now: float) -> float:
        return self._meter.meter.seconds(now) / 3600 * self._settings.dollars_per_hour

    def _publish(self, now: float) -> None:
        document = self._snapshot.take(now, self._agent, self._limits(), self._dollars(now))
        atomic.write_json(self._folder.status, document, durable=False)

    def _save(self) -> None:
        self._file.save(self._state)

    def _say(self, line: str) -> None:
        """Log it, and tell the user through the next status."""
        self._state.note(self._log(line))

    def _log(self, line: str) -> str:
        """Log what goes as it should; the user need not read it."""
        stamped = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {line}"
        with contextlib.suppress(OSError), self._folder.agent_log.open("a") as log:
            log.write(stamped + "\n")
        return stamped


def _changed_at(path: Path) -> float:
    """When `path` was last changed; 0 when it is not there."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


@contextlib.contextmanager
def only_one(folder: RunFolder) -> Iterator[bool]:
    """Hold the run's lock; False when another daemon has it. The kernel frees it with the process."""
    with folder.lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def serve(folder: RunFolder, *, owns_machine: bool) -> dict[str, Any]:
    """Be the daemon of this run, unless there is one already."""
    folder.create()
    with only_one(folder) as alone:
        if alone:
            Daemon(folder, owns_machine=owns_machine).serve()
        return {"served": alone}
