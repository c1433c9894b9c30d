"""Removes what a sweep found, run by run: as `down` does where the journal knows the run, by its tags otherwise."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioning.errors import LeftoversError, ProvisioningError, SignInError
from runs.errors import RunError
from runs.facts import Leaving
from runs.journal import Journal
from runs.journal.lease import lease
from runs.ledger import RunLedger
from runs.run import Run
from runs.sweep import Here, known_row
from runs.sweep_ledger import SweepLedger
from runs.types import RunState, Silent, StageName

if TYPE_CHECKING:
    from provisioning.types import Cloud, Ledger
    from runs.state_folder import StateFolder
    from runs.sweep import SweptRun
    from runs.types import Reporter


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A resource and when the cloud answered 404 for it, in seconds since the epoch."""

    kind: str
    name: str
    resource_id: str
    confirmed_gone_at: float


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of one run.

    Attributes:
        is_removed: Nothing of it is left.
        reason: Why something is, or why nothing was touched.
        hint: What to do about it.
        confirmed: What was confirmed gone.
        remaining: Ids of what is known to be left, each with why, as far as the cloud said so.
    """

    is_removed: bool
    reason: str = ""
    hint: str = ""
    confirmed: tuple[Confirmed, ...] = ()
    remaining: tuple[tuple[str, str], ...] = ()


def remove(
    swept: SweptRun, cloud: Cloud, state: StateFolder, reporter: Reporter | None = None, *, discard: bool
) -> Removal:
    """Delete everything of one run and prove it. Only what carries the run's tag, or lies in its own group, is touched.

    Args:
        swept: What was found.
        cloud: Where.
        state: Where this computer's journal is; a run that it knows is ended there, too.
        reporter: Is told what happens.
        discard: Do it although a model may be lost.

    Raises:
        SignInError: Nobody is signed in any more.
    """
    refusal = _refusal(swept, discard=discard)
    if refusal is not None:
        return refusal
    try:
        return _remove(swept, cloud, state, reporter or Silent())
    except SignInError:
        raise
    except LeftoversError as error:
        return Removal(is_removed=False, reason=error.fact, hint=error.hint, remaining=_with_reasons(error))
    except (ProvisioningError, RunError) as error:
        return Removal(is_removed=False, reason=str(error), hint=error.hint)


def _refusal(swept: SweptRun, *, discard: bool) -> Removal | None:
    if swept.driver:
        hint = "end that client, or wait until it is done; one on another computer is believed for 16 minutes"
        return Removal(is_removed=False, reason=f"{swept.driver} drives it", hint=hint)
    if swept.risk and not discard:
        where = "" if swept.cloud == "azure" else f" --cloud {swept.cloud}"
        hint = f"give it up with `llamalift sweep --remove --discard --run {swept.run_id}{where}`"
        return Removal(is_removed=False, reason=swept.risk, hint=hint)
    return None


def _remove(swept: SweptRun, cloud: Cloud, state: StateFolder, reporter: Reporter) -> Removal:
    journal = Journal(state.journal) if state.journal.exists() else None
    row = known_row(journal, cloud, swept.run_id)
    if journal is None or row is None:
        return _delete(swept, cloud, SweepLedger(state.root / "sweeps.jsonl", swept.run_id), reporter)
    if swept.here is Here.TAKEN_OVER:
        return _end_for_another(swept, cloud, journal, reporter)
    return _end(Run(row, state, journal), swept, reporter)


def _end(run: Run, swept: SweptRun, reporter: Reporter) -> Removal:
    """As `down` does, with the strays; a run that had ended gets its end again."""
    ledger = RunLedger(run.journal, run.run_id)
    for stray in swept.owned.strays:
        ledger.intend_delete(stray.ref)
    if run.row.state is RunState.ENDED:
        run.journal.event(run.run_id, "a sweep found something of it in the cloud after its end")
        run.journal.set_run_state(run.run_id, RunState.ACTIVE)
    began = time.time()
    receipt = run.down(reporter, discard=True)
    return Removal(
        is_removed=True,
        confirmed=tuple(
            Confirmed(line.kind, line.name, line.resource_id, line.confirmed_gone_at)
            for line in receipt.resources
            if line.confirmed_gone_at is not None and line.confirmed_gone_at >= began
        ),
    )


def _end_for_another(swept: SweptRun, cloud: Cloud, journal: Journal, reporter: Reporter) -> Removal:
    """Another computer adopted it and drives it no more: `down` is no longer ours to say, the tags are."""
    with lease(journal, swept.run_id):
        journal.put(swept.run_id, Leaving(at=time.time()))
        removal = _delete(swept, cloud, RunLedger(journal, swept.run_id), reporter)
        journal.set_run_state(swept.run_id, RunState.ENDED)
    return removal


def _delete(swept: SweptRun, cloud: Cloud, ledger: Ledger, reporter: Reporter) -> Removal:
    began = time.monotonic()
    reporter.started(StageName.TEARDOWN, f"deleting everything of {swept.run_id}")
    refs = [item.ref for item in swept.owned.items]
    try:
        proofs = cloud.destroy(
            swept.run_id, refs, ledger, lambda message: reporter.waiting(StageName.TEARDOWN, message)
        )
    except ProvisioningError as error:
        reporter.failed(StageName.TEARDOWN, error.fact, seconds=time.monotonic() - began)
        raise
    reporter.done(StageName.TEARDOWN, f"confirmed gone: {len(proofs)}", seconds=time.monotonic() - began)
    return Removal(
        is_removed=True,
        confirmed=tuple(
            Confirmed(str(proof.ref.kind), proof.ref.name, proof.ref.resource_id, proof.confirmed_gone_at.timestamp())
            for proof in proofs
        ),
    )


def _with_reasons(error: LeftoversError) -> tuple[tuple[str, str], ...]:
    return tuple((ref.resource_id, error.reasons.get(ref.resource_id, "")) for ref in error.remaining)
