"""What becomes of the machine when a run fails: by default, never the loss of a checkpoint."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from remote.errors import UnreachableError
from runs.facts import Leaving, Submitted
from runs.pipeline import run_stages
from runs.stages.teardown import Teardown

if TYPE_CHECKING:
    from runs.context import RunContext


class Aftermath(StrEnum):
    """What was done."""

    NOTHING_RENTED = "nothing was rented"
    DELETED = "everything was deleted again"
    DEALLOCATED = "the machine was deallocated: its disk keeps everything, compute costs nothing"
    KEPT = "the machine was left as it is; its own limits end it"


def settle(context: RunContext, error: Exception) -> Aftermath:
    """Act on the run file's `on_failure` after `error` stopped the run.

    `auto` deletes while no job was handed over (no checkpoint can exist) and deallocates after that. A connection that
    is lost is no failed run: the machine goes on, whatever `on_failure` says. A failed teardown is left to `down`.
    """
    if not context.journal.effects(context.run_id):
        return Aftermath.NOTHING_RENTED
    policy = context.spec.on_failure
    submitted = context.get(Submitted) is not None
    if policy == "keep" or context.get(Leaving) is not None or (submitted and isinstance(error, UnreachableError)):
        return Aftermath.KEPT
    if policy == "delete" or (policy == "auto" and not submitted):
        run_stages(context, [Teardown()])
        return Aftermath.DELETED
    context.hang_up()
    context.cloud.deallocate(context.run_id, lambda message: context.journal.event(context.run_id, message))
    return Aftermath.DEALLOCATED
