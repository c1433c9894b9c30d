"""The job: its steps one after the other, each started once, started again after a crash, stopped when asked.

What is done about a crash, and how often, is in answers.py; why it crashed, in diagnosis.py; when a step has hung, in
hang.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from templates.agent import answers, diagnosis, stock
from templates.agent.attempt import Attempt, Outcome
from templates.agent.hang import Silence, ask_for_stacks
from templates.agent.processes import boot_id, signal_all
from templates.agent.settings import Job, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from templates.agent.folder import RunFolder
    from templates.agent.metrics import Metrics
    from templates.agent.state import State

_VMSTAT = Path("/proc/vmstat")
# What a leftover process may still do (a log uploader, for example) between SIGTERM and SIGKILL.
_LEFTOVER_GRACE_SECONDS = 5.0
# For so long a step waits for its secrets before it fails for want of them.
_SECRETS_SECONDS = 900.0
EVICTION = "eviction"
HANG = "hang"


class Supervisor:
    """Moves the job on, one look at a time. Nothing here waits."""

    def __init__(
        self,
        folder: RunFolder,
        state: State,
        metrics: Metrics,
        save: Callable[[], None],
        *,
        say: Callable[[str], None],
        log: Callable[[str], object],
    ) -> None:
        self._folder = folder
        self._state = state
        self._metrics = metrics
        self._save = save
        self._say = say
        self._log = log
        self._job = None if state.job is None else Job.from_json(state.job)
        self._attempt = None if state.attempt_key is None else Attempt(folder, state.attempt_key)
        self._silence = Silence()
        self._clearing_since: float | None = None
        self._lacking_since: float | None = None
        self._refused_digest: str | None = None

    def tick(self, now: float) -> None:
        """Look once and do what is due."""
        self._take_job(now)
        self._go_on_after_eviction(now)
        if self._state.phase != "running":
            return
        if self._attempt is not None:
            self._watch(self._attempt, now)
        elif self._state.stop is not None:
            self._end("stopped", now)
        elif now >= self._state.retry_at and self._has_secrets(now):
            self._begin(now)

    @property
    def step(self) -> Step | None:
        """The step that is on while the job runs."""
        return self._job.steps[self._state.step_index] if self._job and self._state.phase == "running" else None

    def leader(self) -> int | None:
        """Process id of the running step's own program."""
        return None if self._attempt is None else self._attempt.leader()

    def silent_seconds(self) -> float | None:
        """How long the running step has given no sign of life; None when it gives none, or nothing runs."""
        return None if self._attempt is None or self._silence.beat is None else self._silence.seconds

    def stop(self, reason: str, now: float, *, kill_at: float | None = None) -> None:
        """Stop the running step: SIGTERM now, SIGKILL at `kill_at`, else after its grace. The first reason stays."""
        step, stop = self.step, self._state.stop
        if step is None or (stop is not None and stop["reason"] != HANG):
            return
        if stop is not None:  # it is being ended already, and shall not be started again now
            stop["reason"] = reason
        else:
            kill_at = now + step.grace_seconds if kill_at is None else kill_at
            self._state.stop = {"reason": reason, "kill_at": kill_at, "asked": False}
        self._say(f"stopping {step.name}: {reason}")
        self._save()

    def go_on(self) -> None:
        """Take up again, at the next look, a job that was stopped for an eviction which did not come."""
        if self._state.evicted_boot is not None:
            self._state.evicted_boot = ""

    def _take_job(self, now: float) -> None:
        """Start the job in job.json unless it is the one that was started, or one is running."""
        if self._state.phase == "running":
            return
        try:
            data = self._folder.job.read_bytes()
        except FileNotFoundError:
            return
        digest = hashlib.sha256(data).hexdigest()
        if digest in {self._state.job_digest, self._refused_digest}:
            return
        try:
            value = json.loads(data)
            job = Job.from_json(value)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self._refused_digest = digest
            self._fail("not_started", f"job.json is not a job: {error!r}", now)
            return
        state, self._job = self._state, job
        state.job, state.job_digest, state.phase = value, digest, "running"
        self._forget_halvings(job)
        state.finished, state.problem, state.ended_at, state.stop = [], None, None, None
        self._enter_step(0, now)
        self._log(f"job of {len(job.steps)} step(s) taken")
        self._save()

    def _forget_halvings(self, job: Job) -> None:
        """What was learnt of the GPU's memory holds for the same command line only."""
        if self._state.halved_argv not in [list(step.argv) for step in job.steps]:
            self._state.halvings, self._state.halved_argv = 0, []

    def _go_on_after_eviction(self, now: float) -> None:
        state = self._state
        if state.phase == "stopped" and state.evicted_boot not in {None, boot_id()}:
            state.phase, state.evicted_boot, state.ended_at, state.retry_at = "running", None, None, now
            self._say("going on after an eviction")
            self._save()

    def _enter_step(self, index: int, now: float) -> None:
        state = self._state
        state.step_index, state.attempt, state.crashes = index, 0, 0
        state.step_started_at, state.retry_at = now, now
        state.stalled, state.reached, state.waits = {}, [0, 0], 0

    def _begin(self, now: float) -> None:
        """Write down the intent, then start: after a crash of the agent in between, the same attempt is started."""
        state, step = self._state, self._current()
        state.attempt += 1
        state.attempt_key = f"{(state.job_digest or '')[:8]}-{state.step_index}-{state.attempt}"
        state.attempt_started_at, state.problem = now, None
        self._folder.train_log.touch()
        state.log_offset = self._folder.train_log.stat().st_size
        state.oom_kills = diagnosis.kernel_oom_kills(_VMSTAT)
        self._save()
        self._log(f"starting {step.name}, attempt {state.attempt}")
        self._attempt = Attempt(self._folder, state.attempt_key)
        self._attempt.start()

    def _has_secrets(self, now: float) -> bool:
        """After a restart of the machine the client has to bring them again: they were in memory. It has minutes."""
        file = self._running_job().secrets_file
        if file is None or self._state.attempt == 0 or Path(file).exists():
            self._lacking_since = None
            return True
        if self._lacking_since is None:
            self._lacking_since = now
            self._say("waiting for the client to bring the secrets again: they do not survive a restart of the machine")
        return now - self._lacking_since >= _SECRETS_SECONDS

    def _watch(self, attempt: Attempt, now: float) -> None:
        outcome = attempt.outcome()
        self._silence.look(attempt.records)
        if outcome is None:
            self._press(attempt, now)
            self._look_for_hang(attempt, now)
        elif self._cleared(attempt, now):
            self._attempt = None
            self._state.attempt_key = None
            self._conclude(attempt, outcome, now)
            self._save()

    def _press(self, attempt: Attempt, now: float) -> None:
        """A step that is being stopped: ask once, insist when its grace is over."""
        stop = self._state.stop
        if stop is None:
            return
        if not stop["asked"]:
            stop["asked"] = attempt.ask_to_leave()
            self._save()
        if now >= stop["kill_at"]:
            signal_all(attempt.survivors(), signal.SIGKILL)

    def _look_for_hang(self, attempt: Attempt, now: float) -> None:
        """A step that gives no sign of life any more: say where it stands, then end it; `_conclude` starts it again."""
        step = self._current()
        if step.hang is None or self._state.stop is not None or now < self._state.frozen_until:
            return
        if self._silence.seconds < step.hang.allowed_seconds(self._silence.beat):
            return
        words = self._silence.words()
        asked = ask_for_stacks(attempt.survivors())
        kill_at = now + step.hang.grace_seconds
        self._state.stop = {"reason": HANG, "kill_at": kill_at, "asked": False, "words": words}
        self._say(f"ending {step.name}: {words}; {asked} process(es) print their stacks into the log")
        self._save()

    def _cleared(self, attempt: Attempt, now: float) -> bool:
        """Whether nothing of the attempt lives any more: ranks whose launcher is gone would go on training."""
        left = attempt.survivors()
        if not left:
            self._clearing_since = None
            return True
        if self._clearing_since is None:
            self._clearing_since = now
            self._say(f"ending {len(left)} process(es) that {self._current().name} left behind")
            signal_all(left, signal.SIGTERM)
        elif now - self._clearing_since >= _LEFTOVER_GRACE_SECONDS:
            signal_all(left, signal.SIGKILL)
        return False

    def _conclude(self, attempt: Attempt, outcome: Outcome, now: float) -> None:
        state, step = self._state, self._current()
        if outcome.code == 0 and (self._folder.root / step.marker).is_file():
            self._finish(step, now)
        elif outcome.machine_restarted and (state.stop is None or state.stop["reason"] == HANG):
            self._say(f"{step.name} went down with the machine; starting it again")
            state.stop, state.retry_at = None, now
        elif state.stop is None:
            self._retry_or_fail(step, self._explain(attempt, outcome), now)
        elif state.stop["reason"] == HANG:
            cause = answers.Cause("hang", str(state.stop["words"]))
            state.stop = None
            self._retry_or_fail(step, cause, now)
        else:
            self._end("stopped", now)

    def _finish(self, step: Step, now: float) -> None:
        state = self._state
        seconds = round(now - (state.step_started_at or now), 1)
        state.finished = [*state.finished, {"name": step.name, "seconds": seconds, "attempts": state.attempt}]
        if state.stop is not None and state.stop["reason"] == HANG:
            state.stop = None  # it was only slow
        self._log(f"{step.name} finished")
        if state.step_index + 1 == len(self._running_job().steps):
            self._end("done", now)
        else:
            self._enter_step(state.step_index + 1, now)

    def _retry_or_fail(self, step: Step, cause: answers.Cause, now: float) -> None:
        state = self._state
        state.problem = cause.problem()
        what = f"{step.name} failed ({cause.kind}): {cause.message}"
        reached = stock.newest_step(self._folder.checkpoints), self._silence.step
        how = answers.decide(state, step, cause, reached)
        if how is None:
            self._say(what)
            self._end("failed", now)
            return
        state.halved_argv = list(step.argv) if state.halvings else []
        wait = answers.wait_seconds(state, backoff_seconds())
        state.retry_at = now + wait
        self._say(f"{what}; starting again in {wait:g} s, {how}")

    def _explain(self, attempt: Attempt, outcome: Outcome) -> answers.Cause:
        self._metrics.read()
        state = self._state
        return diagnosis.explain(
            diagnosis.Evidence(
                outcome=outcome,
                reports=diagnosis.rank_reports(attempt.records),
                reported=self._metrics.problem_since(state.attempt_started_at, ended_it=True),
                log_tail=diagnosis.tail(self._folder.train_log, state.log_offset),
                free_bytes=shutil.disk_usage(self._folder.root).free,
                oom_kills=diagnosis.kernel_oom_kills(_VMSTAT) - state.oom_kills,
                room=stock.has_room(self._folder.checkpoints),
            )
        )

    def _fail(self, kind: str, message: str, now: float) -> None:
        self._state.problem = {"kind": kind, "message": message, "hint": "submit the job again"}
        self._say(message)
        self._end("failed", now)
        self._save()

    def _end(self, phase: str, now: float) -> None:
        state = self._state
        if phase == "stopped" and state.stop is not None and state.stop["reason"] == EVICTION:
            state.evicted_boot = boot_id()
        state.phase, state.ended_at, state.stop = phase, now, None
        self._log(f"job {phase}")
        self._save()

    def _current(self) -> Step:
        return self._running_job().steps[self._state.step_index]

    def _running_job(self) -> Job:
        if self._job is None:
            raise RuntimeError("no job was started")
        return self._job


def backoff_seconds() -> float:
    """First wait after a failure; it doubles with each further one."""
    return float(os.environ.get("LLAMALIFT_BACKOFF_SECONDS", "10"))
