"""What becomes of the machine when a run fails: by default, never the loss of a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from provisioning.errors import CapacityError, QuotaError
from runs.errors import TrainingFailedError
from runs.facts import Decided, Leaving, Submitted, Trained, Unread
from runs.pipeline import run_stages
from runs.power import deallocate
from runs.stages.teardown import Teardown

if TYPE_CHECKING:
    from runs.context import RunContext
    from runs.journal import Journal


class Aftermath(StrEnum):
    """What was done."""

    NOTHING_RENTED = "nothing was rented"
    DELETED = "everything was deleted again"
    DEALLOCATED = "the machine was deallocated: its disk keeps everything, compute costs nothing"
    KEPT = "the machine was left as it is; its own limits end it"
    WAITING = "no machine runs; the disk keeps everything"


@dataclass(frozen=True, slots=True)
class FailureQuestion:
    """What is asked of the user when a run has failed and `ask` was chosen.

    Attributes:
        run_id: The run.
        fact: What stopped it.
        would_do: What is done without an answer.
        has_checkpoints: Whether the disk may hold checkpoints, which a teardown loses.
        running_dollars_per_hour: What everything costs while the machine stays up.
        asleep_dollars_per_hour: What is left of that while it is deallocated.
    """

    run_id: str
    fact: str
    would_do: str
    has_checkpoints: bool
    running_dollars_per_hour: float
    asleep_dollars_per_hour: float


class Ask(Protocol):
    """Asks the user; the answer is `teardown`, `deallocate` or `keep`."""

    def __call__(self, question: FailureQuestion, /) -> str:
        """Called at most once for a failure, while the lease is held and the machine costs money."""
        ...


def settle(context: RunContext, error: Exception, policy: str = "", ask: Ask | None = None) -> Aftermath:
    """Look after the machine once `error` stopped the run; see `aftermath_of` for the rule.

    Args:
        context: The run.
        error: What stopped it.
        policy: What to do, over the run file's `on_failure`; empty leaves it to the run file.
        ask: Asks the user where the policy says `ask`; None, or nothing to decide, is answered like `auto`.
    """
    context.journal.confirm(context.run_id)
    policy = policy or context.spec.on_failure
    if policy == "ask":
        policy = _answer(context, error, ask)
    aftermath = aftermath_of(context.journal, context.run_id, policy, error)
    if aftermath is Aftermath.DELETED:
        run_stages(context, [Teardown()])
    elif aftermath is Aftermath.DEALLOCATED:
        deallocate(context, "the run failed", lambda message: context.journal.event(context.run_id, message))
    return aftermath


def aftermath_of(journal: Journal, run_id: str, policy: str, error: Exception) -> Aftermath:
    """What is to be done after `error`, given what the journal knows.

    `auto` deletes while no job was handed over (no checkpoint can exist) and deallocates after that. While the job may
    still run, nothing is done whatever the policy says: trouble with the connection, the cloud or this computer is no
    failed job, and only the agent's own word ends one. A failed teardown is left to `down`. A job whose machine was
    taken away, and for which no other is found, waits on its disk.
    """
    if not journal.effects(run_id):
        return Aftermath.NOTHING_RENTED
    if isinstance(error, CapacityError | QuotaError) and journal.get(run_id, Submitted) is not None:
        return Aftermath.WAITING
    if policy == "keep" or journal.get(run_id, Leaving) is not None or _job_may_run(journal, run_id, error):
        return Aftermath.KEPT
    submitted = journal.get(run_id, Submitted) is not None or journal.get(run_id, Unread) is not None
    if policy == "teardown" or (policy == "auto" and not submitted):
        return Aftermath.DELETED
    return Aftermath.DEALLOCATED


def _answer(context: RunContext, error: Exception, ask: Ask | None) -> str:
    """What the user says; `auto` where nobody can be asked, or where the answer would change nothing."""
    journal, run_id = context.journal, context.run_id
    by_itself = aftermath_of(journal, run_id, "auto", error)
    if ask is None or by_itself not in {Aftermath.DELETED, Aftermath.DEALLOCATED}:
        return "auto"
    decided = journal.get(run_id, Decided)
    # Nothing is paid on the rehearsal cloud.
    paid = decided is not None and decided.dollars_per_hour > 0
    each = decided.disk_dollars_per_hour + decided.address_dollars_per_hour if decided is not None and paid else 0.0
    answer = ask(
        FailureQuestion(
            run_id=run_id,
            fact=str(error),
            would_do="teardown" if by_itself is Aftermath.DELETED else "deallocate",
            has_checkpoints=journal.get(run_id, Submitted) is not None,
            running_dollars_per_hour=decided.dollars_per_hour if decided is not None else 0.0,
            asleep_dollars_per_hour=each * context.spec.machine.nodes,
        )
    )
    journal.event(run_id, f"asked what to do after the failure, the answer was: {answer}")
    return answer


def _job_may_run(journal: Journal, run_id: str, error: Exception) -> bool:
    handed_over = journal.get(run_id, Submitted) is not None
    return handed_over and journal.get(run_id, Trained) is None and not isinstance(error, TrainingFailedError)
