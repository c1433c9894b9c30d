"""Hand the job to the agent and watch it. The agent is the truth; a lost connection is never a failed job."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from remote.errors import UnreachableError
from runs.adoption.carried import carry
from runs.after_job import CARD_FACTS
from runs.backstop import arm_if_due
from runs.card_facts import card_facts
from runs.curated import note_curation
from runs.curation_step import curation_of
from runs.errors import TrainingFailedError
from runs.evictions import close_evictions
from runs.facts import Decided, Pausing, Prepared, Submitted, Synced, Trained
from runs.job import evictions_file, launch_words, render_job
from runs.looking import look_at
from runs.masking import take_secrets_back, try_to_take_secrets_back
from runs.nodes import machines_of
from runs.notify.tell import tell_budget
from runs.pause import stop_and_wait
from runs.power import refuse_if_off
from runs.stages.others import Others, meeting_place, seat_of
from runs.training_steps import Inputs, deepspeed_path
from runs.types import EventKind, StageName
from templates.training.prune import WANTED

if TYPE_CHECKING:
    from remote.agent import AgentStatus
    from runs.context import RunContext
    from runs.spec.load import LoadedRunFile

_POLL_SECONDS = 1.0
# A laptop on a train loses its network for minutes; the job goes on meanwhile, and `resume` comes back to it.
_RECONNECT_SECONDS = 600.0
# The agent looks for a new job every second.
_TAKE_SECONDS = 30.0
# A run longer than a day gets its auto-shutdown on its last one.
_BACKSTOP_SECONDS = 600.0
_OTHERS_SECONDS = 10.0
_ENDED_BADLY = frozenset({"failed", "stopped"})


class Train:
    """The model is trained and was loaded back on the machine."""

    name = StageName.TRAIN
    title = "training"

    def __init__(self) -> None:
        # Over all machines of the run: what was said once is not said again.
        self._said: set[str] = set()
        self._others = Others()

    def is_done(self, context: RunContext) -> bool:
        """Both done-markers were seen."""
        return context.get(Trained) is not None

    def act(self, context: RunContext) -> str:
        """Submit the job unless it runs or is done already, then watch until it ends."""
        submitted = context.get(Submitted)
        if submitted is None:
            self._submit_to_all(context, Submitted(at=time.time()))
        else:
            self._submit_again(context, submitted)
        try:
            status = self._watch(context)
        except TrainingFailedError:
            self._others.hear_out(context)
            try_to_take_secrets_back(context)
            raise
        self._others.hear_out(context)
        for one in machines_of(context):
            take_secrets_back(one)
        note_curation(context)
        trained = trained_of(status, context.require(Submitted))
        context.journal.put(context.run_id, trained)
        loss = "" if trained.loss is None else f", loss {trained.loss:.3f}"
        return f"{trained.steps} steps{loss}, model loaded back and asked"

    def _submit_again(self, context: RunContext, submitted: Submitted) -> None:
        """Where an earlier client left off: only its intent may be there, or the job may have ended badly since."""
        from remote.agent import has_secrets
        from remote.machine import wait_until_booted

        pausing = context.get(Pausing)
        if pausing is not None and not pausing.is_done:
            # A pause was killed before its stop came through; the job that goes on must not meet it.
            self._stop(context)
        status = self._look(context)
        if not status.agent.alive:
            # What it shows is from before the machine was started again.
            wait_until_booted(context.session(self.name), context.layout())
            status = self._look(context)
        if context.spec.secrets and not has_secrets(context.session(self.name), context.layout()):
            self._put_secrets(context)
        if status.phase == "waiting":
            self._submit_to_all(context, submitted)
        elif has_ended_badly(status):
            # The user came back to it: once more, from the newest complete checkpoint.
            self._submit_to_all(context, replace(submitted, number=submitted.number + 1))
            self._await_start(context)
        elif status.phase == "running" and submitted.first_address != meeting_place(context):
            self._stop(context)
            self._submit_to_all(context, replace(submitted, number=submitted.number + 1))
            self._await_start(context)
        else:
            if status.phase == "running":
                self._others.ready(context, self._submit)
            # It may have moved: the agent goes on with the job that it has, and the trainer looks at this.
            self._tell_evictions(context)
        context.journal.forget(context.run_id, Pausing)

    def _submit_to_all(self, context: RunContext, submitted: Submitted) -> None:
        """The first machine last: its job is the run's, and the others wait for it."""
        self._others.ready(context, self._submit)
        self._submit(context, submitted)

    def _submit(self, context: RunContext, submitted: Submitted) -> None:
        """Send the secrets, the DeepSpeed config and the job; the agent starts a job exactly once.

        The intent is written first: from here on checkpoints may exist, and nothing may delete them by itself.
        """
        from remote.agent import submit_job
        from remote.transfer import send_bytes
        from runs.plan.sizes import processes_of
        from runs.plan.two_speed import has_scratch

        layout, session, spec = context.layout(), context.session(self.name), context.spec
        synced, decided = context.require(Synced), context.require(Decided)
        for training in context.loaded.trainings:
            send_bytes(session, training.deepspeed_config(), deepspeed_path(training.spec, layout), mode=0o644)
            self._send_rules(context, training)
        self._tell_evictions(context)
        if steps := spec.collect.wanted_steps:
            wanted = json.dumps({"steps": steps}).encode()
            send_bytes(session, wanted, layout.path("checkpoints", WANTED), mode=0o644)
        inputs = inputs_of(context.require(Prepared), synced)
        facts = card_facts(spec, layout, inputs, decided)
        send_bytes(session, facts, layout.path("job", CARD_FACTS), mode=0o644)
        job = render_job(
            spec,
            layout,
            inputs,
            processes=processes_of(spec.machine, decided.size),
            save_seconds=decided.save_seconds,
            secrets_file=self._put_secrets(context),
            number=submitted.number,
            evictions_per_hour=decided.evictions_per_hour,
            on_scratch=has_scratch(spec, decided.size),
            seat=seat_of(context),
        )
        context.journal.confirm(context.run_id)
        submitted = replace(submitted, first_address=meeting_place(context))
        context.journal.put(context.run_id, submitted)
        carry(session, layout, submitted)
        submit_job(session, layout, job)

    def _send_rules(self, context: RunContext, training: LoadedRunFile) -> None:
        from remote.transfer import send_bytes

        if rules := training.curation_rules():
            target = curation_of(training.spec, context.require(Synced).stage_data, context.layout()).rules
            send_bytes(context.session(self.name), rules.to_json().encode(), target, mode=0o644)

    def _stop(self, context: RunContext) -> None:
        stop_and_wait(context, lambda message: context.reporter.waiting(self.name, message))

    def _put_secrets(self, context: RunContext) -> str | None:
        """They are in memory there, and gone with each restart of the machine; gives their file, None without any."""
        from remote.agent import put_secrets
        from runs.secrets import read_secrets

        secrets = read_secrets(context.spec.secrets)
        return put_secrets(context.session(self.name), context.layout(), secrets) if secrets else None

    def _tell_evictions(self, context: RunContext) -> None:
        from remote.transfer import send_bytes

        told = evictions_file(context.spec, context.require(Decided).evictions_per_hour)
        send_bytes(context.session(self.name), told, context.layout().path("job", "evictions.json"), mode=0o644)

    def _await_start(self, context: RunContext) -> None:
        """Wait until the agent has taken the new job: until then it tells how the former one ended."""
        deadline = time.monotonic() + _TAKE_SECONDS
        while has_ended_badly(self._look(context)) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def _watch(self, context: RunContext) -> AgentStatus:
        """Follow the job until it ends.

        Raises:
            TrainingFailedError: It ended without a good model.
            RunBusyError: This client was suspended, and another one follows the job now.
            UnreachableError: The machine did not answer for ten minutes, or the cloud says that it is off.
        """
        look_at_backstop_at = look_at_others_at = time.monotonic()
        while True:
            # Not the cloud: a laptop that wakes up has no network yet, and looking at the job changes nothing.
            context.journal.confirm_lease(context.run_id)
            status = self._look(context)
            if time.monotonic() >= look_at_others_at:
                for one, its_status in self._others.look(context):
                    if has_ended_badly(its_status):
                        raise _failure(one, its_status)
                look_at_others_at = time.monotonic() + _OTHERS_SECONDS
            if time.monotonic() >= look_at_backstop_at:
                arm_if_due(context)
                look_at_backstop_at = time.monotonic() + _BACKSTOP_SECONDS
            self._tell(context, status)
            self._show(context, status)
            if status.phase == "done":
                return status
            if has_ended_badly(status):
                raise _failure(context, status)
            time.sleep(_POLL_SECONDS)

    def _look(self, context: RunContext) -> AgentStatus:
        """One status, over a new connection where the old one is gone."""
        lost = False
        while True:
            try:
                session = context.session(self.name, deadline_seconds=_RECONNECT_SECONDS, fresh=lost)
                status = look_at(context, session)
            except UnreachableError:
                if lost:
                    raise
                lost = True
                context.reporter.waiting(self.name, "connection lost; the job goes on, reconnecting")
                context.journal.event(context.run_id, "connection lost, reconnecting", EventKind.CONNECTION_LOST)
                refuse_if_off(context)
            else:
                return status

    def _tell(self, context: RunContext, status: AgentStatus) -> None:
        """What the machine has to say, each once."""
        context.limit_fired = status.limits.fired or ""
        news = [note for note in dict.fromkeys(status.notes) if note not in self._said]
        self._said.update(news)
        for note in [*news, *close_evictions(context, status)]:
            context.reporter.note(note)
        tell_budget(context, status)

    def _show(self, context: RunContext, status: AgentStatus) -> None:
        progress = status.progress
        if progress is None:
            context.reporter.waiting(self.name, "the trainer to start")
            return
        if progress.step is not None and progress.total_steps:
            context.reporter.progress(self.name, progress.step, progress.total_steps, "steps")
        context.reporter.waiting(self.name, describe(status))


def has_ended_badly(status: AgentStatus) -> bool:
    """Whether the job is over without a model; one that was stopped for an eviction goes on by itself."""
    return status.phase in _ENDED_BADLY and status.departure is None


def trained_of(status: AgentStatus, submitted: Submitted) -> Trained:
    """What a job that is done leaves."""
    progress = status.progress
    return Trained(
        steps=(progress.step if progress else None) or 0,
        loss=progress.loss if progress else None,
        seconds=status.now - submitted.at,
    )


def inputs_of(prepared: Prepared, synced: Synced) -> Inputs:
    """Where on the machine the job finds what it reads."""
    return Inputs(
        python=prepared.python,
        model=synced.model,
        data=synced.data,
        stage_data=synced.stage_data,
        questions=synced.questions,
        task_folder=synced.task_folder,
    )


def describe(status: AgentStatus) -> str:
    """A running job in one line: phase, loss, speed, newest complete checkpoint."""
    progress = status.progress
    if progress is None:
        return status.phase
    words = [progress.phase] if progress.phase and progress.phase != "training" else []
    if status.step is not None and (launch := launch_words(status.step.name)):
        words.append(launch)
    if progress.loss is not None:
        words.append(f"loss {progress.loss:.3f}")
    if progress.tokens_per_second:
        words.append(f"{progress.tokens_per_second:,.0f} tokens/s")
    if progress.eta_seconds and status.phase == "running":
        words.append(f"{progress.eta_seconds / 60:.0f} m left")
    newest = status.checkpoints.newest_complete
    if newest is not None:
        words.append(f"saved at {newest.step}")
    if draining := status.checkpoints.draining:
        words.append(f"{draining.step} on its way to the disk")
    return ", ".join(words)


def _failure(context: RunContext, status: AgentStatus) -> TrainingFailedError:
    problem = status.problem
    fact = f"training ended without a model: {problem.message}" if problem else f"training {status.phase}"
    which = f" --machine {context.node + 1}" if context.node else ""
    hint = (problem.hint if problem else "") or f"read the log with `llamalift logs {context.run_id}{which}`"
    return TrainingFailedError(fact, hint=hint)
