"""What llamalift promises, each held against the evidence of a trial."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runs.facts import Collected, Estimate, Trained, Trust
from runs.types import StageName, StageState
from templates.agent.manifest import check_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.cost import RunCost
    from runs.receipt import Receipt
    from runs.run import Run
    from runs.status import RunStatus


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise and its verdict; `detail` is the evidence in a few words."""

    name: str
    kept: bool
    detail: str


@dataclass(slots=True)
class Evidence:
    """What was seen of a trial; None for what could not be.

    Attributes:
        seen: The run while its machine was up and the model at home.
        receipt: What was deleted, and when the cloud confirmed it.
        remaining: Ids of what the cloud still had of the run afterwards.
        cost: What it came to.
    """

    seen: RunStatus | None = None
    receipt: Receipt | None = None
    remaining: list[str] | None = field(default=None)
    cost: RunCost | None = None


def judge(run: Run, evidence: Evidence) -> Iterator[Promise]:
    """Yield every promise in the order of the journey."""
    estimate = run.journal.get(run.run_id, Estimate)
    dollars = estimate.dollars if estimate else None
    planned = "nothing was estimated" if dollars is None else f"${dollars:.4f} expected"
    yield Promise("the plan answered before anything existed", dollars is not None, planned)
    yield _provisioned(run)
    yield _pinned(run)
    yield _switches(evidence)
    yield from _trained(run, evidence)
    yield _at_home(run)
    yield from _nothing_left(evidence)
    yield _within(evidence, dollars)


def _provisioned(run: Run) -> Promise:
    stage = {row.stage: row for row in run.journal.stages(run.run_id)}.get(StageName.PROVISION)
    kept = stage is not None and stage.state is StageState.DONE
    return Promise("a machine was rented", kept, stage.summary if stage else "it was not come to")


def _pinned(run: Run) -> Promise:
    trust = run.journal.get(run.run_id, Trust)
    kept = trust is not None and bool(trust.own) and not trust.one_time
    detail = "its own key, the one-time key is destroyed" if kept else "the machine's own key was not pinned"
    return Promise("the machine's host key was known before it was trusted", kept, detail)


def _switches(evidence: Evidence) -> Promise:
    """The agent's own word for its limits; what would not end the bill is named: that depends on the account."""
    name = "the kill switches were armed"
    agent = evidence.seen.agent if evidence.seen else None
    if evidence.seen is None or agent is None or not agent.agent.alive:
        return Promise(name, kept=False, detail="the agent did not answer")
    armed = agent.limits.deadline_at is not None and agent.limits.dollars_cap is not None
    weak = [switch.name for switch in evidence.seen.switches if not switch.in_force]
    return Promise(name, armed, f"would not end the bill: {', '.join(weak)}" if weak else "each would end the bill")


def _trained(run: Run, evidence: Evidence) -> Iterator[Promise]:
    trained = run.journal.get(run.run_id, Trained)
    what = "no" if trained is None else f"{trained.steps} steps, loaded back and asked"
    yield Promise("it trained", trained is not None and trained.steps > 0, what)
    agent = evidence.seen.agent if evidence.seen else None
    newest = agent.checkpoints.newest_complete if agent else None
    saved = "none was seen" if newest is None else f"step {newest.step}, {newest.size_bytes / 1e6:.1f} MB"
    yield Promise("a checkpoint was complete", newest is not None, saved)


def _at_home(run: Run) -> Promise:
    """Every byte is hashed once more, here."""
    name = "the model is at home, verified"
    collected = run.journal.get(run.run_id, Collected)
    if collected is None:
        return Promise(name, kept=False, detail="it was not collected")
    problems = check_manifest(Path(collected.target))
    return Promise(
        name, not problems, problems[0] if problems else f"{collected.files} files, SHA-256 as on the machine"
    )


def _nothing_left(evidence: Evidence) -> Iterator[Promise]:
    lines = evidence.receipt.resources if evidence.receipt else ()
    open_ones = [line.name for line in lines if line.confirmed_gone_at is None]
    proven = evidence.receipt is not None and not open_ones
    detail = f"{len(lines) - len(open_ones)} of {len(lines)}" if evidence.receipt else "there is no receipt"
    yield Promise("every resource answered 404", proven, detail)
    remaining = evidence.remaining
    words = "the cloud was not asked" if remaining is None else ", ".join(remaining) or "nothing with the run's tag"
    yield Promise("the sweep found nothing", remaining == [], words)


def _within(evidence: Evidence, expected: float | None) -> Promise:
    name = "it cost no more than expected"
    if evidence.cost is None or expected is None:
        return Promise(name, kept=False, detail="it cannot be told")
    return Promise(name, evidence.cost.dollars <= expected, f"${evidence.cost.dollars:.4f} of ${expected:.4f}")
