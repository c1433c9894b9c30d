"""One run, as the command line and your own Python use it."""

from __future__ import annotations

import base64
import secrets
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runs.adoption.run_file import refuse_unread, stand_in
from runs.after_failure import settle
from runs.context import RunContext
from runs.driver import driving
from runs.errors import NotCollectedError, RunBusyError, RunNotFoundError, SpecError
from runs.extend import extend
from runs.facts import Collected, Estimate, Leaving, Rented, Searching, Submitted, Trained, Unread
from runs.journal import Journal
from runs.journal.lease import lease
from runs.loss import may_lose_model
from runs.masking import mask_error
from runs.notify.settings import check as check_notify
from runs.notify.tell import tell_done, tell_failed
from runs.pause import go_on, pause
from runs.pipeline import OUR_ERRORS, run_stages
from runs.power import try_settle_power
from runs.receipt import Receipt, make_receipt
from runs.secrets import masker_for, read_secrets
from runs.spec.load import load_run_file, load_run_text
from runs.state_folder import StateFolder
from runs.types import RunRow, RunState, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.after_failure import Ask
    from runs.cost import RunCost
    from runs.facts import Extension
    from runs.pause import Paused
    from runs.stages.base import Stage
    from runs.status import RunStatus
    from runs.types import Reporter


class Run:
    """A run that the journal knows.

    Example:
        >>> run = Run.create(Path("run.yaml"))      # doctest: +SKIP
        >>> receipt = run.up()                      # doctest: +SKIP
    """

    def __init__(self, row: RunRow, state: StateFolder, journal: Journal) -> None:
        self.row = row
        self.state = state
        self.journal = journal

    @classmethod
    def create(cls, run_file: Path, *, state: StateFolder | None = None) -> Run:
        """Read a run file and enter a new run in the journal. Nothing exists in the cloud yet.

        Raises:
            SpecError: The run file is wrong; nothing was entered.
        """
        from runs.plan import make_plan
        from runs.plan.source_checks import check_sources, refusal_of_sources

        loaded = load_run_file(run_file)
        # What can be refused is refused here, before anything exists.
        plan = make_plan(loaded)
        read_secrets(loaded.spec.secrets)
        if (missing := refusal_of_sources(loaded, check_sources(loaded))) is not None:
            raise missing
        check_notify(loaded.spec)
        for target, key in loaded.targets().items():
            _refuse_full_target(target, key)
        state = state or StateFolder.of_user()
        journal = Journal(state.journal)
        row = RunRow(
            run_id=f"{loaded.spec.name}-{_suffix()}", name=loaded.spec.name, cloud=loaded.spec.cloud,
            created_at=time.time(), run_file=str(loaded.path.absolute()), spec_text=loaded.text,
            spec_sha256=loaded.sha256, state=RunState.ACTIVE,
        )  # fmt: skip
        journal.add_run(row)
        hours = None if plan.time is None else plan.time.total_seconds / 3600
        journal.put(row.run_id, Estimate(dollars=plan.cost.total, hours=hours))
        return cls(row, state, journal)

    @classmethod
    def open(cls, run_id: str, *, state: StateFolder | None = None) -> Run:
        """A run by its id, its name, or an unambiguous beginning of its id.

        Raises:
            RunNotFoundError: None, or more than one, matches.
        """
        state = state or StateFolder.of_user()
        if not state.journal.exists():  # whoever only looks leaves no file behind
            raise RunNotFoundError(f"no such run: {run_id}", hint="begin one with `llamalift up RUN.yaml`")
        journal = Journal(state.journal)
        return cls(journal.run(run_id), state, journal)

    @property
    def run_id(self) -> str:
        """The run's id: its name and six characters of chance."""
        return self.row.run_id

    @property
    def folder(self) -> Path:
        """The run's private folder on this computer."""
        return self.state.run(self.run_id)

    @contextmanager
    def context(self, reporter: Reporter | None = None) -> Iterator[RunContext]:
        """What a stage works with, for as long as the block lasts."""
        text = self.row.spec_text or stand_in(self.row)
        loaded = load_run_text(text, Path(self.row.run_file))
        context = RunContext(self.row, loaded, self.journal, self.state, reporter or Silent())
        try:
            yield context
        except OUR_ERRORS as error:
            mask_error(masker_for(loaded.spec.secrets), error)
            raise
        finally:
            context.close()

    def up(
        self,
        reporter: Reporter | None = None,
        *,
        keep: bool = False,
        on_failure: str = "",
        ask: Ask | None = None,
        retry_until: float | None = None,
        move: str = "",
    ) -> Receipt:
        """Go from wherever the run stands to the model at home and nothing left in the cloud.

        Args:
            reporter: Is told what happens.
            keep: Leave the machine up after collection.
            on_failure: What becomes of the machine when the run fails, over the run file's own word.
            ask: Asks the user where the word is `ask`.
            retry_until: Go on looking for a machine until then, in seconds since the epoch; None: as an earlier client
                was told, else each place once.
            move: How far the disk of a run that has begun may go to a machine (`never`, `zone`, `region`), over the run
                file's own word; empty: as an earlier client was told.

        Raises:
            RunBusyError: Another client drives the run.
            ProvisioningError, RemoteError, RunError: What stopped it; the run can be resumed or torn down.
        """
        from remote.jump import check_jump

        with lease(self.journal, self.run_id), self.context(reporter) as context, driving(context):
            if context.get(Leaving) is None:
                refuse_unread(self.journal, self.row)
            if context.get(Submitted) is None:
                read_secrets(context.spec.secrets)
            if context.spec.machine.jump and context.get(Rented) is None and context.get(Leaving) is None:
                check_jump(context.spec.machine.jump)
            if retry_until is not None or move:
                wish = context.get(Searching) or Searching()
                until = wish.until if retry_until is None else retry_until
                self.journal.put(self.run_id, replace(wish, until=until, move=move or wish.move))
            # What ended without us is found before anything is started again.
            try_settle_power(context)
            go_on(context)
            try:
                run_stages(context, self._stages(context, keep=keep))
            except RunBusyError:
                # What becomes of the machine is for the client that drives the run now.
                raise
            except OUR_ERRORS as error:
                _settle(context, error, on_failure, ask)
                tell_failed(context, error)
                raise
            receipt = make_receipt(self.journal, self.run_id)
            tell_done(context, receipt if self.journal.run(self.run_id).state is RunState.ENDED else None)
        return receipt

    def pause(self, reporter: Reporter | None = None, *, at_once: bool = False) -> Paused:
        """Stop the job at a checkpoint and deallocate the machine; its disk stays, and `up` goes on from there.

        Args:
            reporter: Is told what happens.
            at_once: Do not wait for a checkpoint.

        Raises:
            RunBusyError: Another client drives the run.
            SpecError: There is no machine to pause.
        """
        with lease(self.journal, self.run_id), self.context(reporter) as context, driving(context):
            return pause(context, context.reporter.note, at_once=at_once)

    def extend(self, reporter: Reporter | None = None, *, hours: float = 0.0, dollars: float = 0.0) -> Extension:
        """Raise the limits of a run that lives, whoever drives it.

        Args:
            reporter: Is told what happens.
            hours: Hours more.
            dollars: Dollars more.

        Raises:
            SpecError: Nothing would be raised, or there is no machine at work.
        """
        with self.context(reporter) as context:
            return extend(context, hours=hours, dollars=dollars, progress=context.reporter.note)

    def collect(self, reporter: Reporter | None = None) -> Collected:
        """Bring the finished model home again or for the first time; nothing is torn down.

        Raises:
            NotCollectedError: There is no finished model yet, or none any more.
        """
        from runs.stages.collect import Collect

        with lease(self.journal, self.run_id), self.context(reporter) as context:
            refuse_unread(self.journal, self.row)
            if not Collect().is_done(context):
                _refuse_nothing_to_collect(context)
            run_stages(context, [Collect()])
            return context.require(Collected)

    def down(self, reporter: Reporter | None = None, *, discard: bool = False) -> Receipt:
        """Delete everything of the run and prove it.

        Args:
            reporter: Is told what happens.
            discard: Do it although a model or checkpoints would be lost.

        Raises:
            NotCollectedError: A job was started and its model is not at home.
            LeftoversError: Something is still there.
        """
        from runs.stages.teardown import Teardown

        with lease(self.journal, self.run_id), self.context(reporter) as context, driving(context):
            if not discard:
                _refuse_loss(context)
            try_settle_power(context)
            run_stages(context, [Teardown()])
        return make_receipt(self.journal, self.run_id)

    @classmethod
    def all(cls, *, state: StateFolder | None = None) -> list[Run]:
        """Every run that this computer knows, newest first."""
        state = state or StateFolder.of_user()
        if not state.journal.exists():
            return []
        journal = Journal(state.journal)
        return [cls(row, state, journal) for row in journal.runs()]

    def status(self) -> RunStatus:
        """Where the run stands: what the journal knows, and what the machine says in one SSH round trip."""
        from runs.status import look

        self._refresh()
        return look(self)

    def log(self, *, follow: bool = False, machine: int = 1) -> Iterator[bytes]:
        """The training log, piece by piece; it is here after the machine is gone, too.

        Args:
            follow: Go on until the job has ended.
            machine: Which of several machines, from 1.
        """
        from runs.logs import read_log

        self._refresh()
        return read_log(self, follow=follow, machine=machine)

    def _refresh(self) -> None:
        """A run that has ended since it was opened has no machine to ask."""
        self.row = self.journal.run(self.run_id)

    def cost(self) -> RunCost:
        """What the run has cost until now, component by component; no cloud is asked."""
        from runs.cost import cost_of_run

        return cost_of_run(self.journal, self.run_id)

    def _stages(self, context: RunContext, *, keep: bool) -> list[Stage]:
        """The stages that may still run: after collection, or once teardown was decided on, only teardown."""
        from runs.stages.bootstrap import Bootstrap
        from runs.stages.collect import Collect
        from runs.stages.provision import Provision
        from runs.stages.staging import Staging
        from runs.stages.sync import Sync
        from runs.stages.teardown import Teardown
        from runs.stages.train import Train

        if context.get(Leaving) is not None:
            return [Teardown()]
        end: list[Stage] = [] if keep else [Teardown()]
        if Collect().is_done(context):
            return end
        first: list[Stage] = [] if context.spec.storage.stage == "never" else [Staging()]
        return [*first, Provision(), Bootstrap(), Sync(), Train(), Collect(), *end]


def _suffix() -> str:
    """Six characters of base32: a thousand runs of one name clash with a chance of one in two thousand."""
    return base64.b32encode(secrets.token_bytes(5)).decode().lower()[:6]


def _refuse_full_target(target: Path, key: str) -> None:
    what = "results" if key == "after.to" else "model"
    hint = f"move it away, or choose another `{key}` and check it with `llamalift plan RUN.yaml`"
    if target.exists() and not target.is_dir():
        raise SpecError(f"the place for the {what} is a file, not a folder: {target}", hint=hint)
    if target.exists() and any(target.iterdir()):
        raise SpecError(f"the place for the {what} is not empty: {target}", hint=hint)


def _settle(context: RunContext, error: Exception, policy: str, ask: Ask | None) -> None:
    """Look after the machine of a failed run; trouble with that never hides what went wrong first."""
    try:
        aftermath = settle(context, error, policy, ask)
    except OUR_ERRORS as second:
        context.reporter.note(f"cleaning up failed, too: {second}; try `llamalift down --discard {context.run_id}`")
        context.journal.event(context.run_id, f"cleaning up failed: {second}")
    else:
        context.reporter.note(f"{aftermath}; see `llamalift status {context.run_id}`")
        context.journal.event(context.run_id, str(aftermath))


def _refuse_nothing_to_collect(context: RunContext) -> None:
    """Asking a machine that is gone, or has no model yet, would take minutes to say less."""
    if context.get(Leaving) is not None:
        raise NotCollectedError(
            f"the machine with the model is gone: {context.run_id}",
            hint="an earlier copy is where `llamalift status` says, unless it was moved since",
        )
    if context.get(Trained) is None:
        raise NotCollectedError(
            f"the run has no finished model yet: {context.run_id}",
            hint=f"see how far it is with `llamalift status {context.run_id}`, "
            f"go on with `llamalift resume {context.run_id}`",
        )


def _refuse_loss(context: RunContext) -> None:
    if context.get(Unread) is not None and context.get(Collected) is None:
        raise NotCollectedError(
            f"nobody has looked whether there is a model on the disk of this run: {context.run_id}",
            hint=f"look with `llamalift adopt --start {context.run_id}`, or lose it with "
            f"`llamalift down --discard {context.run_id}`",
        )
    if not may_lose_model(context.journal, context.run_id):
        return
    raise NotCollectedError(
        f"the model of this run is not at home yet: {context.run_id}",
        hint=f"bring it home with `llamalift resume {context.run_id}`, "
        f"or lose it with `llamalift down --discard {context.run_id}`",
    )
