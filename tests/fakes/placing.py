"""A run that looks for its machine in a scarce cloud, on a clock that tests turn."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provisioning.survey_types import Quota, SizeOffer, Survey
from provisioning.types import Placement
from runs.context import RunContext
from runs.journal import Journal
from runs.journal.attempts import Attempt, AttemptLog
from runs.placing.pauses import Pace
from runs.placing.search import Search
from runs.spec.load import load_run_text
from runs.state_folder import StateFolder
from runs.types import RunRow, RunState, Silent, StageName
from tests.fakes.scarce_cloud import ScarceCloud
from tests.fakes.surveys import offer, survey

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

D2, D4 = "Standard_D2s_v5", "Standard_D4s_v5"
TEXT = """\
name: tiny
cloud: rehearsal
machine: {size: Standard_D2s_v5, other_sizes: [Standard_D4s_v5], regions: [eastus, westus3], zones: [2, 1]}
model: {from: hf://a/b, parameters_billion: 0.001}
data: {from: hf://datasets/a/b/c.json}
"""


def place(region: str = "eastus", zone: str | None = None, size: str = D2, *, spot: bool = False) -> Placement:
    """A place of the run file above."""
    return Placement(region, zone, size, spot)


ONE_PLACE = TEXT.replace(
    "other_sizes: [Standard_D4s_v5], regions: [eastus, westus3], zones: [2, 1]", "regions: [eastus]"
)
FAMILY = "standardDSv5Family"
IN_ORDER = [
    place(region, zone, size) for size in (D2, D4) for region in ("eastus", "westus3") for zone in ("2", "1", None)
]


@dataclass
class Clock:
    """A clock that moves when someone sleeps.

    Attributes:
        at: The time, in seconds since the epoch.
        slept: Every sleep, in seconds.
    """

    at: float = 1_800_000_000.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        """The time."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.at += seconds

    @property
    def pace(self) -> Pace:
        """Azure's pauses on this clock, without chance."""
        return Pace(now=self.now, sleep=self.sleep, chance=lambda: 0.0)


class Notes(Silent):
    """A reporter that keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Keep it."""
        self.notes.append(text)


class DyingJournal(Journal):
    """A journal whose client dies at the nth transaction from now.

    Attributes:
        dies_in: Transactions until then; None lives.
    """

    dies_in: int | None = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Die, or do as a journal does."""
        if self.dies_in is not None:
            self.dies_in -= 1
            if self.dies_in < 0:
                self.dies_in = None
                raise KeyboardInterrupt
        with super().transaction() as db:
            yield db


def a_run(folder: Path, text: str = TEXT) -> tuple[RunContext, ScarceCloud]:
    """A run that nothing exists of yet, and its cloud."""
    state = StateFolder(folder / "state")
    journal = DyingJournal(state.journal)
    row = RunRow("tiny-aaaaaa", "tiny", "rehearsal", 1.0, str(folder / "run.yaml"), text, "0" * 64, RunState.ACTIVE)
    journal.add_run(row)
    cloud = ScarceCloud()
    # A search needs a part of the protocol; the rest grows without it.
    whole: Any = cloud
    return RunContext(row, load_run_text(text, folder / "run.yaml"), journal, state, Notes(), whole), cloud


def search(context: RunContext, clock: Clock) -> None:
    """Look for a machine as `up` and `resume` do."""
    Search(context, StageName.PROVISION, clock.pace).run()


def attempts(context: RunContext) -> list[Attempt]:
    """What the log says."""
    return AttemptLog(context.journal, context.run_id).all()


def market_survey(*, full: tuple[str, ...]) -> Survey:
    """A cloud whose limits are used up in some regions; every machine costs half a dollar."""

    def one(region: str, size: str) -> SizeOffer:
        limit = 0 if region in full else 100
        limits = (Quota(FAMILY, "D", limit, 0), Quota("cores", "Total", 350, 0))
        return offer(region, size=size, vcpus=2, gpus=0, family=FAMILY, quotas=limits, on_demand_dollars_per_hour=0.5)

    return survey(*(one(region, size) for region in ("eastus", "westus3") for size in (D2, D4)), regions=())
