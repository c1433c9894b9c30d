"""The journal's charges: each stretch of time in which something of a run cost money."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from runs.journal.store import Journal


class Component(StrEnum):
    """What is paid for; the value is the word that the user reads."""

    MACHINE = "machine"
    SYSTEM_DISK = "system disk"
    WORKSPACE_DISK = "workspace disk"
    ADDRESS = "public address"
    EGRESS = "egress"
    SNAPSHOT = "snapshot"
    TRANSFER = "copy to a region"


@dataclass(frozen=True, slots=True)
class Rate:
    """What one component costs.

    Attributes:
        component: What is paid for.
        detail: Which one, in a few words.
        dollars_per_hour: Its price.
        basis: Where the price comes from.
    """

    component: Component
    detail: str
    dollars_per_hour: float
    basis: str


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """One stretch of time at one price. Times in seconds since the epoch; `ended_at` None while it goes on."""

    component: Component
    detail: str
    resource_id: str
    dollars_per_hour: float
    basis: str
    began_at: float
    ended_at: float | None

    def hours(self, now: float) -> float:
        """Its length; until `now` while it goes on."""
        return max(0.0, (now if self.ended_at is None else self.ended_at) - self.began_at) / 3600

    def dollars(self, now: float) -> float:
        """What it has cost until it ended, or until `now`."""
        return self.hours(now) * self.dollars_per_hour


def charges_of(journal: Journal, run_id: str) -> list[ChargeRow]:
    """Every stretch of a run, in order of its beginning."""
    rows = journal.read(
        "SELECT component, detail, resource_id, dollars_per_hour, basis, began_at, ended_at"
        " FROM charges WHERE run_id = ? ORDER BY seq",
        run_id,
    )
    return [ChargeRow(Component(row[0]), *row[1:]) for row in rows]


def spent_dollars(journal: Journal, run_id: str, now: float) -> float:
    """What the run's time has cost until `now`; without the egress, which is not paid by the hour."""
    return sum(charge.dollars(now) for charge in charges_of(journal, run_id))


def spent_between(journal: Journal, run_id: str, begin: float, end: float) -> float:
    """What the run's time from `begin` to `end` has cost; both in seconds since the epoch."""
    return sum(
        max(0.0, min(end, end if charge.ended_at is None else charge.ended_at) - max(begin, charge.began_at))
        / 3600
        * charge.dollars_per_hour
        for charge in charges_of(journal, run_id)
    )


def begin_charges(db: sqlite3.Connection, run_id: str, resource_id: str, rates: Iterable[Rate], at: float) -> None:
    """Open a stretch for each rate. One that is open at the same price goes on; at another price it ends here."""
    for rate in rates:
        open_at = db.execute(
            "SELECT dollars_per_hour FROM charges WHERE run_id = ? AND lower(resource_id) = lower(?)"
            " AND component = ? AND ended_at IS NULL",
            (run_id, resource_id, rate.component),
        ).fetchone()
        if open_at is not None and open_at[0] == rate.dollars_per_hour:
            continue
        end_charges(db, run_id, resource_id, at, rate.component)
        db.execute(
            "INSERT INTO charges (run_id, component, detail, resource_id, dollars_per_hour, basis, began_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (run_id, rate.component, rate.detail, resource_id, rate.dollars_per_hour, rate.basis, at),
        )


def end_charges(
    db: sqlite3.Connection, run_id: str, resource_id: str, at: float, component: Component | None = None
) -> None:
    """End what is open for a resource (of one component, when it is named); never before it began."""
    db.execute(
        "UPDATE charges SET ended_at = max(began_at, ?) WHERE run_id = ? AND lower(resource_id) = lower(?)"
        " AND component LIKE ? AND ended_at IS NULL",
        (at, run_id, resource_id, component or "%"),
    )


def end_machine_charge(journal: Journal, run_id: str, at: float) -> None:
    """The run's machine was deallocated at `at`: its hours are over, its disks and its address go on."""
    with journal.transaction() as db:
        db.execute(
            "UPDATE charges SET ended_at = max(began_at, ?) WHERE run_id = ? AND component = ? AND ended_at IS NULL",
            (at, run_id, Component.MACHINE),
        )
