"""Looking at the machine: whether there is one, its status without secrets, and what is new in log and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.facts import Leaving, Pausing, Prepared, Rented, Submitted
from runs.log_copy import LogCopy, log_of
from runs.masking import masked_status
from runs.training_log import METRICS_FILE
from runs.types import RunState

if TYPE_CHECKING:
    from remote.agent import AgentStatus
    from remote.session import Session
    from runs.context import RunContext
    from runs.journal import Journal

_ENDED = frozenset({"done", "failed", "stopped"})


def job_of(journal: Journal, run_id: str) -> tuple[object, ...] | None:
    """What tells one job on one machine from the next; None where there is no machine to ask."""
    if journal.run(run_id).state is not RunState.ACTIVE or journal.get(run_id, Leaving) is not None:
        return None
    pausing, prepared = journal.get(run_id, Pausing), journal.get(run_id, Prepared)
    if prepared is None or (pausing is not None and pausing.deadline_at is None):
        return None
    return journal.get(run_id, Rented), journal.get(run_id, Submitted)


def is_over(status: AgentStatus) -> bool:
    """There is nothing new to hear until there is another job, and asking on would keep an idle machine alive.

    A job that was stopped is not over: after an eviction it goes on, as the same one.
    """
    return status.phase in {"done", "failed"}


def look_at(context: RunContext, session: Session) -> AgentStatus:
    """Ask the agent, in one round trip; when the job has ended, in as many as it takes to have everything.

    Args:
        context: The run, on the machine that is asked.
        session: That machine.

    Raises:
        RemoteError: The machine does not answer, or not in words that we know.
    """
    log, metrics = log_of(context.folder, context.node), LogCopy(context.folder / METRICS_FILE)
    while True:
        before = log.size, metrics.size
        # Metrics are written on the first machine only.
        status = _look(context, session, log, None if context.node else metrics)
        if status.phase not in _ENDED or (log.size, metrics.size) == before or _is_whole(status):
            return status


def _look(context: RunContext, session: Session, log: LogCopy, metrics: LogCopy | None) -> AgentStatus:
    from remote.agent import read_status

    asked = None if metrics is None else metrics.size
    answer = read_status(session, context.layout(), log_from=log.size, metrics_from=asked)
    status = masked_status(context, answer)
    log.append(status.log)
    if metrics is not None and asked is not None and status.metrics is not None:
        metrics.take(status.metrics, asked=asked)
    return status


def _is_whole(status: AgentStatus) -> bool:
    return all(piece is None or piece.end >= piece.size for piece in (status.log, status.metrics))
