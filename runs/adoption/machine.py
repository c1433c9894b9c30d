"""A machine that is adopted: let this computer in, then read what the run has left there."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from remote.errors import CommandFailedError, RemoteError
from runs.adoption.carried import carried
from runs.adoption.run_file import is_same, place
from runs.facts import Decided, Prepared, Rented, Submitted, Synced, Trained, Trust, Unread
from runs.journal.adopted import set_run_file
from runs.types import StageName, StageState

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioning.types import Machine
    from remote.adoption import LetIn
    from remote.agent import AgentStatus
    from remote.layout import RunLayout
    from remote.session import Session
    from runs.context import RunContext

_CONNECT_SECONDS = 300.0


def enter(context: RunContext, machine: Machine, say: Callable[[str], None]) -> LetIn:
    """Open port 22 to this computer, plant its key, and pin the machine's host key before the first connection.

    Everything that a kill could leave behind (a key planted, a rule moved) is the same the next time.

    Raises:
        ProvisioningError: The cloud does not let us.
        SetupError: The machine does not.
    """
    from remote.adoption import let_in_command, parse_let_in
    from remote.keys import ensure_user_key

    journal, run_id, cloud = context.journal, context.run_id, context.cloud
    key = ensure_user_key(context.folder)
    journal.confirm(run_id)
    admitted = cloud.admit(run_id, cloud.caller_address(), say)
    journal.put(run_id, replace(context.require(Decided), caller_address=admitted))
    journal.event(run_id, f"planting this computer's key on {machine.address}")
    script = let_in_command(machine.username, key.public_line).render()
    let_in = parse_let_in(cloud.run_script(run_id, script, say))
    journal.put(run_id, _trust(let_in))
    journal.put(
        run_id,
        Rented(
            vm_id=machine.vm_id, address=machine.address, ssh_port=machine.ssh_port, username=machine.username,
            region=machine.region, zone=machine.zone,
        ),
    )  # fmt: skip
    return let_in


def _trust(let_in: LetIn) -> Trust:
    """The key that the control plane told; a one-time key is replaced by the next stage, as in any other run."""
    return Trust(one_time=let_in.host_key) if let_in.is_one_time else Trust(one_time="", own=let_in.host_key)


def recover(context: RunContext, workspace: str) -> list[str]:
    """Read the run file and the facts that are true of the machine; returns what the user should know.

    Raises:
        RemoteError: The machine cannot be reached, or shows another key than it told.
    """
    from remote.layout import RunLayout

    session = context.session(deadline_seconds=_CONNECT_SECONDS)
    layout = RunLayout(workspace, context.run_id)
    notes = _recover_run_file(context, session, layout)
    _recover_facts(context, session, layout)
    context.journal.forget(context.run_id, Unread)
    _mark_stages(context)
    return notes


def _recover_run_file(context: RunContext, session: Session, layout: RunLayout) -> list[str]:
    from remote.adoption import read_file

    journal, run_id = context.journal, context.run_id
    if journal.run(run_id).spec_text:
        return []
    content = read_file(session, layout.run_file)
    if content is None or not is_same(content, context.row.spec_sha256):
        why = "is not on the machine" if content is None else "on the machine is not the one that its tag names"
        return [f"its run file {why}; going on needs a copy: `llamalift adopt {run_id} --run-file RUN.yaml`"]
    text = content.decode()
    path = place(text, _original_path(read_file(session, layout.path("run.json"))), run_id)
    set_run_file(journal, run_id, text, str(path))
    return [f"its run file is {path}; relative paths in it, such as the model's place, begin at that folder"]


def _original_path(run_json: bytes | None) -> str:
    try:
        return str(json.loads(run_json or b"{}").get("run_file") or "")
    except (ValueError, AttributeError):
        return ""


def _recover_facts(context: RunContext, session: Session, layout: RunLayout) -> None:
    journal, run_id = context.journal, context.run_id
    for fact in (carried(session, layout, Prepared), carried(session, layout, Synced)):
        if fact is not None:
            journal.put(run_id, fact)
    submitted = _submitted(session, layout)
    known = context.get(Submitted)
    if submitted is not None and (known is None or known.number < submitted.number):
        journal.put(run_id, submitted)
    status = _status(session, layout)
    if status is not None and status.phase == "done":
        from runs.stages.train import trained_of

        journal.put(run_id, trained_of(status, context.require(Submitted)))


def _submitted(session: Session, layout: RunLayout) -> Submitted | None:
    """The newest job that may have been handed over: its intent was left first, the job itself proves it."""
    from remote.adoption import read_file

    told = carried(session, layout, Submitted)
    try:
        number = int(json.loads(read_file(session, layout.job_file) or b"{}").get("number", 0))
    except (ValueError, AttributeError, TypeError):
        number = 0
    if told is None:
        return Submitted(at=time.time(), number=number) if number else None
    return replace(told, number=max(told.number, number))


def _status(session: Session, layout: RunLayout) -> AgentStatus | None:
    """What the agent says; None where it is not there yet."""
    from remote.agent import read_status

    try:
        return read_status(session, layout, log_limit=0)
    except CommandFailedError:
        return None
    except RemoteError as error:
        raise RemoteError(f"the agent cannot be asked: {error.fact}", hint=error.hint) from error


def _mark_stages(context: RunContext) -> None:
    """The stages that were done elsewhere, for `status` and `ls`; a row that is there says more than we know."""
    journal, run_id = context.journal, context.run_id
    known = {row.stage for row in journal.stages(run_id)}
    proofs = {
        StageName.PROVISION: Rented, StageName.BOOTSTRAP: Prepared, StageName.SYNC: Synced, StageName.TRAIN: Trained,
    }  # fmt: skip
    for stage, proof in proofs.items():
        if stage not in known and journal.get(run_id, proof) is not None:
            journal.stage_started(run_id, stage)
            journal.stage_ended(run_id, stage, StageState.DONE, "done before the run was adopted")
