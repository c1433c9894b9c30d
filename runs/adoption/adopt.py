"""`adopt`: a run that this computer does not know, or knows no more, is rebuilt from the cloud and its machine.

Killed anywhere, it can be repeated: everything that it changes (the rule, the keys, rows of the journal) is brought to
one and the same end each time. What the journal knows already is never taken away.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from provisioning.types import PowerState
from runs.adoption.decision_tags import created_at_from, decided_from
from runs.adoption.machine import enter, recover
from runs.adoption.run_file import SHA256_TAG, read_copy
from runs.driver import DRIVER_TAG, Driver, driving, refuse_driven
from runs.errors import RunError, RunNotFoundError
from runs.facts import Decided, Leaving, Unread
from runs.journal import Journal
from runs.journal.adopted import note_existing, set_run_file
from runs.journal.charges import charges_of
from runs.journal.lease import lease
from runs.run import Run
from runs.tariff import charge_existing
from runs.types import RunRow, RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from provisioning.adoption_types import RunInCloud
    from runs.context import RunContext
    from runs.state_folder import StateFolder


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asks for.

    Attributes:
        run_id: The whole id.
        cloud: `azure` or `rehearsal`.
        subscription_id: Where to look; None finds it out.
        run_file: The user's own copy of the run file, or None to read it from the machine.
        start: Start a machine that is deallocated.
        take_over: Go on although another computer seems to drive the run.
    """

    run_id: str
    cloud: str
    subscription_id: str | None = None
    run_file: Path | None = None
    start: bool = False
    take_over: bool = False


@dataclass(slots=True)
class Adoption:
    """What became of it.

    Attributes:
        run: The run.
        was_known: The journal knew it before; it was refreshed.
        resources: How many resources exist in the cloud.
        notes: What the user should know, in order.
    """

    run: Run
    was_known: bool
    resources: int
    notes: list[str] = field(default_factory=list)


def adopt(wish: Wish, state: StateFolder, say: Callable[[str], None]) -> Adoption:
    """Make the run known here, and let this computer into its machine.

    Args:
        wish: What is asked for.
        state: This computer's state folder.
        say: Told what is being done.

    Raises:
        RunNotFoundError: There is no such run in the subscription; the message lists those that there are.
        RunBusyError: A client drives it, here or elsewhere.
        SpecError: The given run file is not the run's.
        RunError, ProvisioningError, RemoteError: What stopped it; it can be repeated.
    """
    from provisioning.clouds import open_cloud

    cloud = open_cloud(wish.cloud, subscription_id=wish.subscription_id, state_folder=state.root)
    try:
        say("looking for the run in the cloud")
        found = cloud.describe(wish.run_id)
        if found is None:
            raise not_found(wish.run_id, [run.run_id for run in cloud.owned()])
        sha256 = found.tags.get(SHA256_TAG, "")
        text = read_copy(wish.run_file, sha256) if wish.run_file else ""
        journal = Journal(state.journal)
        driver = Driver.from_tag(found.group.tags.get(DRIVER_TAG))
        if not wish.take_over:
            refuse_driven(wish.run_id, driver)
        known = [row for row in journal.runs() if row.run_id == wish.run_id]
        if not known:
            journal.add_run(_row(wish, found, sha256))
        run = Run(journal.run(wish.run_id), state, journal)
        adoption = Adoption(run, was_known=bool(known), resources=len(found.refs))
        with lease(journal, wish.run_id), run.context() as context:
            context.use_cloud(cloud)
            if wish.run_file:
                set_run_file(journal, wish.run_id, text, str(wish.run_file.absolute()))
            _take(context, wish, found, adoption, say)
            if not charges_of(journal, wish.run_id):
                charge_existing(journal, wish.run_id, found.refs, since=context.row.created_at)
        adoption.run = Run(journal.run(wish.run_id), state, journal)
        return adoption
    finally:
        cloud.close()


def not_found(run_id: str, runs: Sequence[str]) -> RunNotFoundError:
    """The error for a run that the subscription does not have, with those that it has."""
    there = ", ".join(sorted(runs)) or "none"
    return RunNotFoundError(
        f"the subscription has no such run: {run_id}; the runs in it: {there}",
        hint="give a whole run id; another subscription is looked at with `--subscription ID`, "
        "the rehearsal cloud with `--cloud rehearsal`",
    )


def _row(wish: Wish, found: RunInCloud, sha256: str) -> RunRow:
    return RunRow(
        run_id=wish.run_id, name=wish.run_id.rpartition("-")[0] or wish.run_id, cloud=wish.cloud,
        created_at=created_at_from(found) or time.time(), run_file="", spec_text="", spec_sha256=sha256,
        state=RunState.ACTIVE,
    )  # fmt: skip


def _take(context: RunContext, wish: Wish, found: RunInCloud, adoption: Adoption, say: Callable[[str], None]) -> None:
    journal, run_id = context.journal, context.run_id
    note_existing(journal, run_id, found.refs, since=context.row.created_at)
    journal.put(run_id, _decided(context, found))
    if not adoption.was_known and found.workspace_gib is not None:
        journal.put(run_id, Unread(has_machine=found.machine is not None))
    with driving(context, adopting=True, take_over=wish.take_over):
        journal.event(run_id, "adopted again" if adoption.was_known else "adopted")
        if found.group.is_leaving:
            journal.put(run_id, journal.get(run_id, Leaving) or Leaving(at=time.time()))
            adoption.notes.append("its deletion has begun: only `llamalift down` is left to do")
            return
        _machine(context, wish, found, adoption, say)


def _machine(
    context: RunContext, wish: Wish, found: RunInCloud, adoption: Adoption, say: Callable[[str], None]
) -> None:
    """Go as far into the machine as there is one, and tell what cannot be known otherwise."""
    machine = found.machine
    if machine is not None and machine.power is not PowerState.RUNNING and wish.start:
        context.journal.event(context.run_id, "starting the machine")
        context.cloud.start(context.run_id, say)
        machine = context.cloud.find_machine(context.run_id)
    if machine is None:
        if context.get(Unread) is not None:
            context.journal.put(context.run_id, Unread(has_machine=False))
        adoption.notes.append("its machine is gone: what its stages had done, and its run file, cannot be read")
    elif machine.power is not PowerState.RUNNING:
        adoption.notes.append(
            f"its machine is {machine.power}: its keys, its run file and how far it came can be read only from a "
            f"running one; `llamalift adopt {context.run_id} --start` starts it, and its bill"
        )
    else:
        let_in = enter(context, machine, say)
        admitted = context.require(Decided).caller_address
        if admitted != found.caller_address:
            adoption.notes.append(f"port 22 is open to {admitted} now, no more to {found.caller_address or 'anybody'}")
        if let_in.removed:
            adoption.notes.append("the key of the computer that drove it before was taken out of the machine")
        say("reading what the run left on its machine")
        adoption.notes.extend(recover(context, let_in.workspace))
        return
    if not context.journal.run(context.run_id).spec_text:
        adoption.notes.append("it can be torn down; going on needs its run file: `--run-file RUN.yaml`")
    elif machine is None and found.workspace_gib is not None:
        adoption.notes.append(
            "its disk is there: `llamalift resume` rents another machine for it, and finds what is on it"
        )


def _decided(context: RunContext, found: RunInCloud) -> Decided:
    """What is known here stays, but for what can be read back."""
    seen = decided_from(found, context.cloud.account().subscription_id)
    known = context.get(Decided)
    if known is None:
        return seen
    if seen.subscription_id != known.subscription_id:
        raise RunError(
            f"the journal knows this run in another subscription: {known.subscription_id}",
            hint=f"look at it with `llamalift status {context.run_id}`",
        )
    return replace(known, caller_address=seen.caller_address or known.caller_address)
