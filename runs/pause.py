"""Pausing a run: a checkpoint, then no compute; and going on from there."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provisioning.types import PowerState
from runs.cost import cost_of_run
from runs.errors import RunError, SpecError
from runs.extend import decide
from runs.facts import Decided, Extension, Leaving, Pausing, Prepared, Rented
from runs.job import grace_seconds
from runs.power import deallocate

if TYPE_CHECKING:
    from provisioning.types import Progress
    from remote.agent import AgentStatus
    from runs.context import RunContext

_POLL_SECONDS = 1.0
_CONNECT_SECONDS = 60.0
# Beyond the trainer's own grace: the agent clears what is left of the step, and looks for a request every second.
_CLEARING_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Paused:
    """What a pause leaves.

    Attributes:
        step: The newest complete checkpoint, or None where none is known.
        dollars_per_day: What the disks and the address go on costing; on the rehearsal cloud, would.
    """

    step: int | None
    dollars_per_day: float


def pause(context: RunContext, progress: Progress, *, at_once: bool = False) -> Paused:
    """Stop the job at a checkpoint, deallocate the machine, keep its disk. Repeatable; `resume` goes on from there.

    Args:
        context: The run; its lease must be held.
        progress: Is told what is waited for.
        at_once: Do not ask the trainer for a checkpoint: what was trained since the newest one is trained again.

    Raises:
        SpecError: There is no machine to pause.
        UnreachableError: The machine does not answer; `at_once` does without it.
    """
    journal, run_id = context.journal, context.run_id
    power = context.cloud.power(run_id) if context.get(Rented) and context.get(Leaving) is None else None
    if power is None:
        raise SpecError(f"the run has no machine to pause: {run_id}", hint=f"see `llamalift status {run_id}`")
    pausing = context.get(Pausing)
    if pausing is None or pausing.deadline_at is not None:  # none, or one from which the run went on
        pausing = Pausing(at=time.time())
        journal.put(run_id, pausing)
    step = None
    if power.power is PowerState.RUNNING and context.get(Prepared) is not None and not at_once:
        step = stop_and_wait(context, progress)
    deallocate(context, "paused by the user", progress)
    journal.put(run_id, Pausing(at=pausing.at, is_done=True))
    return Paused(step, cost_of_run(journal, run_id).dollars_per_hour * 24)


def stop_and_wait(context: RunContext, progress: Progress) -> int | None:
    """Ask the trainer for a checkpoint and wait until nothing runs; gives the newest complete checkpoint's step.

    Raises:
        RunError: The job still runs when its grace is over.
    """
    from remote.agent import is_asked_to_stop, read_status, stop_job

    session, layout = context.session(deadline_seconds=_CONNECT_SECONDS), context.layout()
    status = read_status(session, layout)
    if status.phase == "running":
        stop_job(session, layout)
    deadline = time.monotonic() + grace_seconds(context.require(Decided).save_seconds) + _CLEARING_SECONDS
    # A request that outlived its job would stop the next one.
    while is_asked_to_stop(session, layout) or (status := read_status(session, layout)).phase == "running":
        progress(f"a checkpoint{_at(status)}")
        if time.monotonic() > deadline:
            raise RunError(
                f"the job did not stop in time: {context.run_id}",
                hint=f"without a checkpoint: `llamalift pause --now {context.run_id}`",
            )
        time.sleep(_POLL_SECONDS)
    newest = status.checkpoints.newest_complete
    return newest.step if newest else None


def go_on(context: RunContext) -> None:
    """A paused run is about to go on: its deadline moves by the time of the pause, which cost no compute."""
    pausing, decided = context.get(Pausing), context.get(Decided)
    if pausing is None or decided is None or context.get(Leaving) is not None:
        return
    if pausing.deadline_at is None:
        pausing = replace(pausing, deadline_at=decided.deadline_at + max(0.0, time.time() - pausing.at))
        context.journal.put(context.run_id, pausing)
    target = pausing.deadline_at or decided.deadline_at
    begun = context.get(Extension)
    if begun is None or begun.deadline_at < target:
        decide(context, Extension(0.0, 0.0, deadline_at=target, dollars_cap=decided.dollars_cap))


def _at(status: AgentStatus) -> str:
    step = status.progress.step if status.progress else None
    return "" if step is None else f" at step {step}"
