"""Where a run stands: what the journal knows, and what the machine says in one SSH round trip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from remote.errors import RemoteError
from runs.facts import Collected, Decided, Prepared, Rented
from runs.log_copy import LogCopy
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
    """

    row: RunRow
    stages: tuple[StageRow, ...]
    machine: Rented | None
    decided: Decided | None
    collected: Collected | None
    agent: AgentStatus | None
    silence: str


def look(run: Run) -> RunStatus:
    """Ask the machine, where there is one, and read the journal."""
    journal, run_id = run.journal, run.run_id
    agent, silence = _ask(run) if run.row.state is RunState.ACTIVE else (None, "")
    return RunStatus(
        row=run.row,
        stages=tuple(journal.stages(run_id)),
        machine=journal.get(run_id, Rented),
        decided=journal.get(run_id, Decided),
        collected=journal.get(run_id, Collected),
        agent=agent,
        silence=silence,
    )


def _ask(run: Run) -> tuple[AgentStatus | None, str]:
    from remote.agent import read_status

    with run.context() as context:
        if context.get(Prepared) is None:
            return None, ""
        copy = LogCopy(context.folder / "train.log")
        try:
            session = context.session(deadline_seconds=_CONNECT_SECONDS)
            status = read_status(session, context.layout(), log_from=copy.size)
        except RemoteError as error:
            return None, str(error)
        copy.append(status.log)
        return status, ""
