"""The whole journey for a few cents, and a verdict on every promise: what a user runs before trusting us with money."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.errors import SpecError
from runs.pipeline import OUR_ERRORS
from runs.run import Run
from runs.smoke_promises import Evidence, judge
from runs.spec.load import load_run_file
from runs.spec.recipes import write_recipe
from runs.status import look

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.errors import ProvisioningError
    from remote.errors import RemoteError
    from runs.errors import RunError
    from runs.smoke_promises import Promise
    from runs.state_folder import StateFolder
    from runs.types import Reporter

CLOUDS = ("azure", "rehearsal")
# A few steps of the tiny model, and limits that a forgotten trial cannot pass.
_CHANGES = (
    ("name: tiny-cpu", "name: smoke"),
    ("num_train_epochs: 5", "num_train_epochs: 0.5"),
    ("shrink: {from: 8,", "shrink: {from: 2,"),
)
_LIMITS = "\nlimits:\n  hours: 2\n  dollars: 1\n"


@dataclass(frozen=True, slots=True)
class Quote:
    """What a trial will take: US dollars (on the rehearsal cloud, what Azure would take), hours, and where."""

    dollars: float
    hours: float
    size: str
    region: str


@dataclass(frozen=True, slots=True)
class SmokeReport:
    """How a trial went.

    Attributes:
        run_id: Its run.
        cloud: `azure` or `rehearsal`.
        promises: Each with its verdict.
        dollars: What it cost; on the rehearsal cloud, would have.
        error: What stopped it, or None.
    """

    run_id: str
    cloud: str
    promises: tuple[Promise, ...]
    dollars: float
    error: RunError | ProvisioningError | RemoteError | None = None

    @property
    def passed(self) -> bool:
        """Whether every promise was kept."""
        return all(promise.kept for promise in self.promises)


def prepare(cloud: str, folder: Path) -> Path:
    """Write the trial's run file and what it names into `folder`, which must not hold one; gives the run file.

    Raises:
        SpecError: There is no such cloud, or a trial is there already.
    """
    if cloud not in CLOUDS:
        raise SpecError(f"no such cloud: {cloud}", hint=f"there are: {', '.join(CLOUDS)}")
    run_file = write_recipe("tiny-cpu", folder)
    text = run_file.read_text(encoding="utf-8")
    for before, after in (*_CHANGES, ("cloud: rehearsal", f"cloud: {cloud}")):
        if before not in text:
            raise SpecError(f"the recipe tiny-cpu has changed, a trial cannot be made of it: {before}")
        text = text.replace(before, after)
    run_file.write_text(text + _LIMITS, encoding="utf-8")
    return run_file


def quote(run_file: Path) -> Quote:
    """What the trial will take, from its plan; nothing is created."""
    from runs.plan import make_plan

    plan = make_plan(load_run_file(run_file))
    hours = plan.time.total_seconds / 3600 if plan.time else plan.limits.hours
    return Quote(plan.cost.total or plan.limits.dollars, hours, plan.size.name, plan.regions[0])


def smoke(run_file: Path, state: StateFolder, reporter: Reporter) -> SmokeReport:
    """Go the whole way and judge it. Whatever happens, the run is torn down; an interruption tears it down, too.

    What a failed trial leaves behind, `llamalift down` deletes.
    """
    run = Run.create(run_file, state=state)
    reporter.note(f"run {run.run_id} on {run.row.cloud}")
    evidence = Evidence()
    error = None
    try:
        run.up(reporter, keep=True)
        evidence.seen = look(run)
    except OUR_ERRORS as caught:
        error = caught
        reporter.note(f"it stopped: {caught}")
    finally:
        _tear_down(run, reporter, evidence)
    promises = tuple(judge(run, evidence))
    dollars = evidence.cost.dollars if evidence.cost else 0.0
    return SmokeReport(run.run_id, run.row.cloud, promises, dollars, error)


def clean(run_file: Path) -> None:
    """Forget a trial that passed: its model is of no use."""
    shutil.rmtree(run_file.parent)


def _tear_down(run: Run, reporter: Reporter, evidence: Evidence) -> None:
    """Delete everything and ask the cloud once more, from a connection of its own."""
    from runs.cost import cost_of_run

    try:
        evidence.receipt = run.down(reporter, discard=True)
        with run.context() as context:
            evidence.remaining = [ref.resource_id for ref in context.cloud.remaining(run.run_id)]
    except OUR_ERRORS as caught:
        reporter.note(f"tearing down failed: {caught}; try `llamalift down --discard {run.run_id}`")
    evidence.cost = cost_of_run(run.journal, run.run_id)
