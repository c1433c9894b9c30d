"""Nothing that a machine says brings a secret back: into the journal, onto the screen, into the copy of the log.

The log itself is masked on the machine as it is written (templates/training/masked.py), where every value is known.
This is the second net, for whatever else a machine says: it holds the values that this computer has at hand.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from remote.errors import CommandFailedError, RemoteError, UnreachableError
from runs.facts import Prepared, Submitted
from runs.secrets import masker_for

if TYPE_CHECKING:
    from provisioning.errors import ProvisioningError
    from remote.agent import AgentStatus
    from runs.context import RunContext
    from runs.errors import RunError
    from templates.training.masking import Masker

# Where a machine is about to be deleted or deallocated, its memory goes anyway.
_LAST_CALL_SECONDS = 5.0


def masked_status(context: RunContext, status: AgentStatus) -> AgentStatus:
    """What the agent says, without secrets."""
    masker = masker_for(context.spec.secrets)
    problem = status.problem
    return replace(
        status,
        notes=tuple(masker.text(note) for note in status.notes),
        problem=problem and replace(problem, message=masker.text(problem.message), hint=masker.text(problem.hint)),
        log=replace(status.log, data=masker.masked(status.log.data)),
        metrics=status.metrics and replace(status.metrics, data=masker.masked(status.metrics.data)),
    )


def mask_error(masker: Masker, error: RunError | ProvisioningError | RemoteError) -> None:
    """Take secrets out of an error of ours, which the screen and the journal will have."""
    error.fact, error.hint = masker.text(error.fact), masker.text(error.hint)
    error.args = (error.fact,)
    if isinstance(error, CommandFailedError):
        error.stderr = masker.text(error.stderr)


def take_secrets_back(context: RunContext) -> None:
    """Remove the run's secrets from the machine's memory: the job that needed them is done. Repeatable.

    Raises:
        UnreachableError: The machine does not answer.
    """
    if not context.spec.secrets:
        return
    from remote.agent import forget_secrets

    try:
        forget_secrets(context.session(), context.layout())
    except UnreachableError:
        forget_secrets(context.session(fresh=True), context.layout())


def try_to_take_secrets_back(context: RunContext) -> None:
    """The same where something else went wrong, or where the memory is about to go with the machine's power anyway."""
    if not context.spec.secrets or context.get(Submitted) is None or context.get(Prepared) is None:
        return
    from remote.agent import forget_secrets
    from remote.session import Session

    try:
        with Session.connect(context.endpoint(), deadline_seconds=_LAST_CALL_SECONDS) as session:
            forget_secrets(session, context.layout())
    except RemoteError as error:
        context.journal.event(context.run_id, f"the secrets stay until the machine's memory goes: {error}")
