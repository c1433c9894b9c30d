"""Where a run stands: what the journal knows, and what the machine says in one SSH round trip."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from remote.errors import RemoteError
from runs.backstop import arm_if_due
from runs.cost import RunCost, cost_of_run
from runs.evictions import Eviction, evictions_of
from runs.facts import Collected, Decided, Leaving, Pausing, Prepared, Rented
from runs.history import metrics_file
from runs.journal.charges import Component, charges_of
from runs.looking import is_over, job_of, look_at
from runs.other_machines import OtherMachine, look_at_others
from runs.outlook import Outlook, outlook
from runs.power import try_settle_power
from runs.secrets import masker_for
from runs.switches import Switch, switches_in_force
from runs.training_log import Training, TrainingReader
from runs.types import RunState

if TYPE_CHECKING:
    from remote.agent import AgentStatus
    from runs.context import RunContext
    from runs.run import Run
    from runs.types import RunRow, StageRow

# A status must answer soon; a machine that needs longer is told as "does not answer".
_CONNECT_SECONDS = 10.0
# While a machine stays silent, the cloud is asked no more often whether it is off.
_ASK_CLOUD_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RunStatus:
    """One look at a run.

    Attributes:
        row: The run as the journal knows it.
        stages: Its stages so far.
        machine: Where the machine is, or None.
        decided: What was chosen for it, with price and limits, or None.
        collected: Where the model is at home, or None.
        agent: What the machine says, or None.
        silence: Why the machine said nothing; empty when it spoke, or when there is none to ask.
        off_since: Since when the cloud says that the machine is deallocated (seconds since the epoch), or None.
        paused_at: When the user paused the run, or None.
        cost: What it has cost.
        switches: What ends its bill without its user; none before it is rented and after it ended.
        evictions: Each time that the cloud took the machine away, oldest first.
        heard_at: When the machine said what `agent` has, in seconds since the epoch; None when it has said nothing.
        trainings: What its trainer told: one, or one for each stage of `train`.
        outlook: What may be lost, and what is to come.
        leaving: Teardown was decided on.
        others: How the run's further machines stand; none where it has one.
    """

    row: RunRow
    stages: tuple[StageRow, ...]
    machine: Rented | None
    decided: Decided | None
    collected: Collected | None
    agent: AgentStatus | None
    silence: str
    off_since: float | None = None
    paused_at: float | None = None
    cost: RunCost | None = None
    switches: tuple[Switch, ...] = ()
    evictions: tuple[Eviction, ...] = ()
    heard_at: float | None = None
    trainings: tuple[Training, ...] = ()
    outlook: Outlook = field(default_factory=Outlook)
    leaving: bool = False
    others: tuple[OtherMachine, ...] = ()

    @property
    def training(self) -> Training | None:
        """The newest training, or None."""
        return self.trainings[-1] if self.trainings else None


class Lookout:
    """Looks at one run again and again over one connection; to be closed, or used with `with`.

    A machine that falls silent keeps what it said last, with its age, and is knocked at again with each look. Once its
    job has ended it is asked no more, unless another is handed over: looking must not keep an idle machine alive.
    """

    def __init__(self, run: Run, *, connect_seconds: float = _CONNECT_SECONDS) -> None:
        self._run = run
        self._connect_seconds = connect_seconds
        self._reader = TrainingReader(metrics_file(run))
        self._open = ExitStack()
        self._context: RunContext | None = None
        self._heard: tuple[AgentStatus, float] | None = None
        self._heard_of: tuple[object, ...] | None = None
        self._off_since: float | None = None
        self._asked_cloud_at = 0.0

    def __enter__(self) -> Self:
        """The lookout itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Let go of the machine."""
        self._open.close()
        self._context = None

    def look(self) -> RunStatus:
        """Ask the machine, where there is one, and read the journal.

        A machine that says nothing may have been ended by a limit, an eviction or a schedule: then the cloud is asked.
        """
        journal, run_id = self._run.journal, self._run.run_id
        row = journal.run(run_id)
        silence = self._ask(self._working()) if row.state is RunState.ACTIVE else ""
        if row.state is not RunState.ACTIVE:
            self._heard = None
        self._find_off_since(is_silent=bool(silence) or self._is_over())
        agent, heard_at = self._heard or (None, None)
        pausing, decided = journal.get(run_id, Pausing), journal.get(run_id, Decided)
        cost = cost_of_run(journal, run_id) if decided else None
        trainings = self._reader.read()
        return RunStatus(
            row=row,
            stages=tuple(journal.stages(run_id)),
            machine=journal.get(run_id, Rented),
            decided=decided,
            collected=journal.get(run_id, Collected),
            agent=agent,
            silence=silence,
            off_since=self._off_since,
            paused_at=pausing.at if pausing is not None and pausing.deadline_at is None else None,
            cost=cost,
            switches=self._switches(decided) if row.state is RunState.ACTIVE else (),
            evictions=evictions_of(journal, run_id),
            heard_at=heard_at,
            trainings=trainings,
            outlook=outlook(row, agent, trainings[-1] if trainings else None, cost),
            leaving=journal.get(run_id, Leaving) is not None,
            others=self._look_at_others() if row.state is RunState.ACTIVE else (),
        )

    def _working(self) -> RunContext:
        if self._context is None:
            self._context = self._open.enter_context(self._run.context())
        return self._context

    def _ask(self, context: RunContext) -> str:
        """Ask the machine; gives why it said nothing."""
        if context.get(Prepared) is None or self._is_over():
            return ""
        pausing = context.get(Pausing)
        if pausing is not None and pausing.is_done and pausing.deadline_at is None:
            return "the run is paused"
        try:
            session = context.session(deadline_seconds=self._connect_seconds)
            job = job_of(context.journal, context.run_id)
            self._heard = look_at(context, session), time.time()
            self._heard_of = job
        except RemoteError as error:
            context.hang_up()
            return masker_for(context.spec.secrets).text(str(error))
        arm_if_due(context)
        return ""

    def _is_over(self) -> bool:
        if self._heard is None or not is_over(self._heard[0]):
            return False
        return self._heard_of == job_of(self._run.journal, self._run.run_id)

    def _look_at_others(self) -> tuple[OtherMachine, ...]:
        context = self._working()
        pausing = context.get(Pausing)
        if self._is_over() or (pausing is not None and pausing.is_done and pausing.deadline_at is None):
            return ()
        return look_at_others(context, self._connect_seconds)

    def _find_off_since(self, *, is_silent: bool) -> None:
        """Since when the machine is deallocated, as far as anybody knows; the journal is put right on the way."""
        if not is_silent:
            self._off_since, self._asked_cloud_at = None, 0.0
        elif time.monotonic() - self._asked_cloud_at >= _ASK_CLOUD_SECONDS or not self._asked_cloud_at:
            try_settle_power(self._working())
            self._asked_cloud_at = time.monotonic()
            charges = charges_of(self._run.journal, self._run.run_id)
            machine = [charge for charge in charges if charge.component is Component.MACHINE]
            self._off_since = machine[-1].ended_at if machine else None

    def _switches(self, decided: Decided | None) -> tuple[Switch, ...]:
        journal, run_id = self._run.journal, self._run.run_id
        if decided is None or journal.get(run_id, Rented) is None:
            return ()
        limits = self._working().spec.limits
        return tuple(switches_in_force(limits, decided, journal.effects(run_id), now=time.time()))


def look(run: Run) -> RunStatus:
    """One look, over a connection of its own."""
    with Lookout(run) as lookout:
        return lookout.look()
