"""Every run in one line: the journal for all, and one question to each machine that is at work, side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.cost import cost_of_run
from runs.facts import Decided, Pausing, Trained
from runs.journal import Journal
from runs.looking import job_of, look_at
from runs.overview import overview

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remote.agent import AgentStatus
    from runs.overview import OverviewLine
    from runs.run import Run
    from runs.state_folder import StateFolder

    # What a machine said, and why it said nothing.
    _Heard = tuple[AgentStatus | None, str]

_AT_ONCE = 16
# Nobody waits for the slowest of many: it is told as silent.
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run; None for what is not known.

    Attributes:
        run_id: The run.
        cloud: `azure` or `rehearsal`.
        created_at: When it was entered, in seconds since the epoch.
        stage: The stage that it is in or came to last; empty before the first.
        state: `running`, `done` or `failed` for that stage; `paused`; `ended` when nothing is left in the cloud.
        step: How far training is.
        total_steps: How many steps it has.
        loss: The newest loss.
        tokens_per_second: The newest speed.
        seconds_left: Until training ends.
        dollars: What it has cost; on the rehearsal cloud what Azure would have taken.
        dollars_cap: At which its machine ends itself.
        silence: Why its machine said nothing; empty when it spoke, or there is none to ask.
    """

    run_id: str
    cloud: str
    created_at: float
    stage: str
    state: str
    step: int | None = None
    total_steps: int | None = None
    loss: float | None = None
    tokens_per_second: float | None = None
    seconds_left: float | None = None
    dollars: float = 0.0
    dollars_cap: float | None = None
    silence: str = ""


def fleet(state: StateFolder, *, connect_seconds: float = _CONNECT_SECONDS) -> list[RunLine]:
    """Every run, newest first; a machine may take `connect_seconds` to answer. Whoever only looks leaves no file."""
    lines = overview(state)
    if not lines:
        return []
    journal = Journal(state.journal)
    asked = [line.run_id for line in lines if _has_machine(journal, line)]
    seen = _look(state, journal, asked, connect_seconds) if asked else {}
    return [_line(journal, line, seen.get(line.run_id, (None, ""))) for line in lines]


def _has_machine(journal: Journal, line: OverviewLine) -> bool:
    return line.state != "ended" and job_of(journal, line.run_id) is not None


def _look(state: StateFolder, journal: Journal, run_ids: Sequence[str], connect_seconds: float) -> dict[str, _Heard]:
    from runs.run import Run

    def look(run_id: str) -> _Heard:
        return _ask(Run(journal.run(run_id), state, journal), connect_seconds)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(run_ids, pool.map(look, run_ids), strict=True))


def _ask(run: Run, connect_seconds: float) -> _Heard:
    """Ask one machine where it was last; whether it is off, or this computer has another address, the cloud would know.

    `llamalift status RUN` asks that.
    """
    from remote.errors import RemoteError
    from remote.session import Session

    try:
        with (
            run.context() as context,
            Session.connect(context.endpoint(), deadline_seconds=connect_seconds) as session,
        ):
            return look_at(context, session), ""
    except RemoteError as error:
        return None, error.fact


def _line(journal: Journal, line: OverviewLine, heard: _Heard) -> RunLine:
    run_id, (agent, silence) = line.run_id, heard
    trained, decided = journal.get(run_id, Trained), journal.get(run_id, Decided)
    pausing = journal.get(run_id, Pausing)
    is_paused = line.state != "ended" and pausing is not None and pausing.deadline_at is None
    progress = agent.progress if agent else None
    return RunLine(
        run_id=run_id,
        cloud=line.cloud,
        created_at=line.created_at,
        stage=line.stage,
        state="paused" if is_paused else line.state,
        step=progress.step if progress else trained.steps if trained else None,
        total_steps=progress.total_steps if progress else trained.steps if trained else None,
        loss=progress.loss if progress else trained.loss if trained else None,
        tokens_per_second=progress.tokens_per_second if progress else None,
        seconds_left=progress.eta_seconds if agent and progress and agent.phase == "running" else None,
        dollars=cost_of_run(journal, run_id).dollars,
        dollars_cap=decided.dollars_cap if decided else None,
        silence=silence,
    )
