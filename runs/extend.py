"""Raising the limits of a run that lives: the journal hears of it first, then the cloud, then the machine.

Every part may be repeated: what is told are the new limits themselves, not the difference. A client that was killed in
between is followed by the same command, by `resume`, or by any other client that looks.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from provisioning.types import PowerState, Renewal
from runs.errors import SpecError
from runs.facts import Decided, Extension, Leaving, Prepared, Rented
from runs.journal.charges import spent_dollars
from runs.ledger import RunLedger
from runs.machine_config import backstop, tags
from runs.nodes import machines_of
from runs.types import RunState

if TYPE_CHECKING:
    from provisioning.types import Progress
    from runs.context import RunContext

_CONNECT_SECONDS = 60.0


def extend(context: RunContext, *, hours: float, dollars: float, progress: Progress) -> Extension:
    """Raise the limits by so many hours and dollars; what is over counts as over now, so that they are worth having.

    Asked for again after a kill, the same extension is finished and not added once more. No lease is needed: the run
    may be driven meanwhile. A machine that is deallocated hears of it when `resume` starts it, one that
    is still looked for is made with them.

    Raises:
        SpecError: Nothing would be raised, or there is nothing yet whose limits could be.
        ProvisioningError, RemoteError: The cloud or the machine could not be told; ask again.
    """
    _refuse(context, hours, dollars)
    begun = context.get(Extension)
    if begun is None or begun.is_done or (begun.hours, begun.dollars) != (hours, dollars):
        decided = context.require(Decided)
        now = time.time()
        spent = spent_dollars(context.journal, context.run_id, now)
        decide(context, raised(decided, hours=hours, dollars=dollars, now=now, spent=spent))
    carry_out(context, progress)
    return context.require(Extension)


def raised(decided: Decided, *, hours: float, dollars: float, now: float, spent: float) -> Extension:
    """The extension that adds `hours` and `dollars`: to the limit, or to what is reached already if that is more."""
    deadline_at = max(decided.deadline_at, now) + hours * 3600 if hours else decided.deadline_at
    cap = max(decided.dollars_cap, spent) + dollars if dollars else decided.dollars_cap
    return Extension(hours=hours, dollars=dollars, deadline_at=deadline_at, dollars_cap=cap)


def decide(context: RunContext, extension: Extension) -> None:
    """Write an extension down; from here on it is carried out by whoever looks next."""
    ends = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(extension.deadline_at))
    context.journal.put(context.run_id, extension)
    context.journal.event(context.run_id, f"raising the limits: until {ends}, ${extension.dollars_cap:.2f}")


def is_pending(context: RunContext) -> bool:
    """Whether somebody has not heard of the newest limits."""
    extension = context.get(Extension)
    return extension is not None and not extension.is_done


def carry_out(context: RunContext, progress: Progress) -> None:
    """Tell everybody who has not heard of the newest limits and can.

    Raises:
        ProvisioningError, RemoteError: Somebody could not be told.
    """
    extension = context.get(Extension)
    if extension is None or extension.is_done:
        return
    journal, run_id = context.journal, context.run_id
    decided = _write_down(context, extension)
    if not extension.cloud_knows:
        progress("telling the cloud")
        context.cloud.renew(run_id, renewal_of(context, decided), RunLedger(journal, run_id), progress)
        extension = replace(extension, cloud_knows=True)
        journal.put(run_id, extension)
    if not extension.machine_knows and _runs(context):
        progress("telling the machine")
        _tell_machine(context, decided)
        journal.put(run_id, replace(extension, machine_knows=True))


def renewal_of(context: RunContext, decided: Decided) -> Renewal:
    """What the cloud must know of a run's end."""
    return Renewal(
        region=decided.region,
        tags=tags(context.row, context.spec, decided),
        # Between two machines there is none that a schedule could end; the next one brings its own.
        shutdown_at=backstop(decided.deadline_at, time.time()) if context.get(Rented) is not None else None,
        nodes=context.spec.machine.nodes,
    )


def _write_down(context: RunContext, extension: Extension) -> Decided:
    decided = context.require(Decided)
    now = replace(
        decided,
        deadline_at=max(decided.deadline_at, extension.deadline_at),
        dollars_cap=max(decided.dollars_cap, extension.dollars_cap),
    )
    context.journal.put(context.run_id, now)
    return now


def _runs(context: RunContext) -> bool:
    power = context.cloud.power(context.run_id)
    return power is not None and power.power is PowerState.RUNNING


def _tell_machine(context: RunContext, decided: Decided) -> None:
    from remote.agent import raise_limits

    for one in machines_of(context):
        session = one.session(deadline_seconds=_CONNECT_SECONDS)
        raise_limits(session, one.layout(), deadline_at=decided.deadline_at, dollars_cap=decided.dollars_cap)


def _refuse(context: RunContext, hours: float, dollars: float) -> None:
    if hours < 0 or dollars < 0:
        raise SpecError(
            f"a limit can only be raised, found: {min(hours, dollars):g}",
            hint=f"to end earlier: `llamalift pause {context.run_id}`, or `llamalift down {context.run_id}`",
        )
    if hours == 0 and dollars == 0:
        raise SpecError("nothing to raise", hint=f"for example `llamalift extend {context.run_id} --hours 6`")
    ended = context.journal.run(context.run_id).state is RunState.ENDED or context.get(Leaving) is not None
    if ended or context.get(Prepared) is None:
        raise SpecError(
            f"there is no machine at work whose limits could be raised: {context.run_id}",
            hint="nothing is left of the run" if ended else "set `limits` in the run file, or wait until it is set up",
        )
