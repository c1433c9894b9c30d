"""What a run has cost, component by component, what was expected, and what goes on costing."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runs.facts import Collected, Estimate, Moved
from runs.journal.charges import ChargeRow, Component, charges_of
from runs.tariff import EGRESS_DOLLARS_PER_GB

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runs.journal import Journal

_EGRESS_BASIS = f"${EGRESS_DOLLARS_PER_GB} a GB at most: the first 100 GB of a month are free"


@dataclass(frozen=True, slots=True)
class CostLine:
    """One component at one price.

    Attributes:
        component: What was paid for.
        detail: Which one.
        hours: How long; 0 for what is not paid by the hour.
        dollars: What it came to.
        dollars_per_hour: Its price; 0 for what is not paid by the hour.
        goes_on: It costs its price at this moment.
        basis: Where the price comes from.
    """

    component: Component
    detail: str
    hours: float
    dollars: float
    dollars_per_hour: float
    goes_on: bool
    basis: str


@dataclass(frozen=True, slots=True)
class RunCost:
    """What one run has cost: journal times x prices, until the cloud's own bill comes.

    Attributes:
        run_id: The run.
        cloud: `azure`; on `rehearsal` the dollars are what Azure would have taken.
        lines: Every component, in order of its beginning.
        estimate_dollars: What the plan said, or None.
        is_confirmed: Whether the cloud was asked what still runs, or nothing can.
    """

    run_id: str
    cloud: str
    lines: tuple[CostLine, ...]
    estimate_dollars: float | None
    is_confirmed: bool = True

    @property
    def dollars(self) -> float:
        """All of it."""
        return sum(line.dollars for line in self.lines)

    @property
    def dollars_per_hour(self) -> float:
        """What goes on costing, an hour."""
        return sum(line.dollars_per_hour for line in self.lines if line.goes_on)


def cost_of_run(journal: Journal, run_id: str, *, now: float | None = None, is_confirmed: bool = True) -> RunCost:
    """What the journal says that a run has cost until `now`."""
    at = time.time() if now is None else now
    collected, estimate = journal.get(run_id, Collected), journal.get(run_id, Estimate)
    lines = summed(charges_of(journal, run_id), at)
    moved = journal.get(run_id, Moved)
    if moved is not None:
        lines = [*lines, transfer(moved)]
    if collected is not None:
        home = collected.size_bytes if collected.home_bytes is None else collected.home_bytes
        lines = [*lines, egress(home)]
    return RunCost(
        run_id=run_id,
        cloud=journal.run(run_id).cloud,
        lines=tuple(lines),
        estimate_dollars=estimate.dollars if estimate else None,
        is_confirmed=is_confirmed,
    )


def summed(charges: Iterable[ChargeRow], now: float) -> Sequence[CostLine]:
    """One line for all stretches of a component at one price."""
    lines: dict[tuple[str, str, float], CostLine] = {}
    for charge in charges:
        key = (charge.component, charge.detail, charge.dollars_per_hour)
        before = lines.get(key) or CostLine(
            charge.component, charge.detail, hours=0.0, dollars=0.0,
            dollars_per_hour=charge.dollars_per_hour, goes_on=False, basis=charge.basis,
        )  # fmt: skip
        lines[key] = replace(
            before,
            hours=before.hours + charge.hours(now),
            dollars=before.dollars + charge.dollars(now),
            goes_on=before.goes_on or charge.ended_at is None,
        )
    return list(lines.values())


def transfer(moved: Moved) -> CostLine:
    """The workspace disk's ways to other regions: not paid by the hour, and counted before each begins."""
    return CostLine(
        Component.TRANSFER, f"{moved.gb:.0f} GB", hours=0.0, dollars=moved.dollars,
        dollars_per_hour=0.0, goes_on=False, basis="list prices between regions, 2026, at most",
    )  # fmt: skip


def egress(size_bytes: int) -> CostLine:
    """The collected model's way out of the cloud: not paid by the hour, and counted as if nothing of it were free."""
    gb = size_bytes / 1e9
    return CostLine(
        Component.EGRESS, f"{gb:.2f} GB", hours=0.0, dollars=gb * EGRESS_DOLLARS_PER_GB,
        dollars_per_hour=0.0, goes_on=False, basis=_EGRESS_BASIS,
    )  # fmt: skip
