"""What becomes of the machine when a run fails: by default, never the loss of a checkpoint."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from runs.errors import TrainingFailedError
from runs.facts import Leaving, Submitted, Trained, Unread
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


def settle(context: RunContext, error: Exception) -> Aftermath:
    """Act on the run file's `on_failure` after `error` stopped the run; see `aftermath_of` for the rule."""
    context.journal.confirm(context.run_id)
    aftermath = aftermath_of(context.journal, context.run_id, context.spec.on_failure, error)
    if aftermath is Aftermath.DELETED:
        run_stages(context, [Teardown()])
    elif aftermath is Aftermath.DEALLOCATED:
        deallocate(context, "the run failed", lambda message: context.journal.event(context.run_id, message))
    return aftermath


def aftermath_of(journal: Journal, run_id: str, policy: str, error: Exception) -> Aftermath:
    """What is to be done after `error`, given what the journal knows.

    `auto` deletes while no job was handed over (no checkpoint can exist) and deallocates after that. While the job may
    still run, nothing is done whatever the policy says: trouble with the connection, the cloud or this computer is no
    failed job, and only the agent's own word ends one. A failed teardown is left to `down`.
    """
    if not journal.effects(run_id):
        return Aftermath.NOTHING_RENTED
    if policy == "keep" or journal.get(run_id, Leaving) is not None or _job_may_run(journal, run_id, error):
        return Aftermath.KEPT
    submitted = journal.get(run_id, Submitted) is not None or journal.get(run_id, Unread) is not None
    if policy == "delete" or (policy == "auto" and not submitted):
        return Aftermath.DELETED
    return Aftermath.DEALLOCATED


def _job_may_run(journal: Journal, run_id: str, error: Exception) -> bool:
    handed_over = journal.get(run_id, Submitted) is not None
    return handed_over and journal.get(run_id, Trained) is None and not isinstance(error, TrainingFailedError)
