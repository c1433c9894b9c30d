"""Where a run stands: what the journal knows, and what the machine says in one SSH round trip."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from remote.errors import RemoteError
from runs.backstop import arm_if_due
from runs.cost import RunCost, cost_of_run
from runs.evictions import Eviction, evictions_of
from runs.facts import Collected, Decided, Pausing, Prepared, Rented
from runs.journal.charges import Component, charges_of
from runs.log_copy import LogCopy
from runs.looking import look_at
from runs.power import try_settle_power
from runs.secrets import masker_for
from runs.switches import Switch, switches_in_force
from runs.types import RunState

if TYPE_CHECKING:
    from remote.agent import AgentStatus
    from runs.run import Run
    from runs.types import RunRow, StageRow

# A status must answer soon; a machine that needs longer is told as "does not answer".
_CONNECT_SECONDS = 10.0


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


def look(run: Run) -> RunStatus:
    """Ask the machine, where there is one, and read the journal.

    A machine that says nothing may have been ended by a limit, an eviction or a schedule: then the cloud is asked.
    """
    journal, run_id = run.journal, run.run_id
    is_active = run.row.state is RunState.ACTIVE
    agent, silence = _ask(run) if is_active else (None, "")
    off_since = _off_since(run) if silence else None
    pausing = journal.get(run_id, Pausing)
    return RunStatus(
        row=run.row,
        stages=tuple(journal.stages(run_id)),
        machine=journal.get(run_id, Rented),
        decided=journal.get(run_id, Decided),
        collected=journal.get(run_id, Collected),
        agent=agent,
        silence=silence,
        off_since=off_since,
        paused_at=pausing.at if pausing is not None and pausing.deadline_at is None else None,
        cost=cost_of_run(journal, run_id) if journal.get(run_id, Decided) else None,
        switches=_switches(run) if is_active else (),
        evictions=evictions_of(journal, run_id),
    )


def _switches(run: Run) -> tuple[Switch, ...]:
    journal, run_id = run.journal, run.run_id
    decided = journal.get(run_id, Decided)
    if decided is None or journal.get(run_id, Rented) is None:
        return ()
    with run.context() as context:
        limits = context.spec.limits
    return tuple(switches_in_force(limits, decided, journal.effects(run_id), now=time.time()))


def _off_since(run: Run) -> float | None:
    """Since when the machine is deallocated, as far as anybody knows; the journal is put right on the way."""
    with run.context() as context:
        try_settle_power(context)
    machine = [row for row in charges_of(run.journal, run.run_id) if row.component is Component.MACHINE]
    return machine[-1].ended_at if machine else None


def _ask(run: Run) -> tuple[AgentStatus | None, str]:
    with run.context() as context:
        if context.get(Prepared) is None:
            return None, ""
        pausing = context.get(Pausing)
        if pausing is not None and pausing.is_done and pausing.deadline_at is None:
            return None, "the run is paused"
        copy = LogCopy(context.folder / "train.log")
        try:
            session = context.session(deadline_seconds=_CONNECT_SECONDS)
            status = look_at(context, session, copy)
        except RemoteError as error:
            return None, masker_for(context.spec.secrets).text(str(error))
        arm_if_due(context)
        return status, ""
