"""Every try to rent a machine somewhere: written down before it, closed with its outcome after it."""

from __future__ import annotations

import textwrap
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from provisioning.types import Placement

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs.journal.store import Journal

_LONGEST_FACT = 100


class Outcome(StrEnum):
    """How a try ended; the value is the word that the user reads. Empty while it goes on."""

    OPEN = ""
    RENTED = "rented"
    CAPACITY = "no capacity"
    QUOTA = "quota"
    NOT_OFFERED = "not offered"
    UNFIT = "does not fit"
    THROTTLED = "throttled"
    TROUBLE = "passing trouble"
    REFUSED = "refused"
    ABANDONED = "abandoned"
    MOVE = "disk not moved"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try; times are seconds since the epoch.

    Attributes:
        seq: Its number in the journal.
        at: When it began.
        ended_at: When it ended; None while it goes on.
        placement: Where and as what.
        outcome: How it ended.
        code: The cloud's own error code; empty without one.
        fact: What was said.
    """

    seq: int
    at: float
    ended_at: float | None
    placement: Placement
    outcome: Outcome
    code: str
    fact: str

    @property
    def reason(self) -> str:
        """`no capacity (ZonalAllocationFailed)`; without a code, what was said."""
        said = self.code or textwrap.shorten(self.fact, _LONGEST_FACT, placeholder=" ...")
        return f"{self.outcome} ({said})" if said else str(self.outcome)


@dataclass(frozen=True, slots=True)
class AttemptLog:
    """The tries of one run, kept in the journal; each method is durable when it returns."""

    journal: Journal
    run_id: str
    now: Callable[[], float] = time.time

    def begin(self, placement: Placement) -> int:
        """Write a try down before it begins; returns its number."""
        return self._insert(placement, None, Outcome.OPEN, "", "")

    def end(self, seq: int, outcome: Outcome, *, code: str = "", fact: str = "") -> None:
        """Write down how a try ended."""
        with self.journal.transaction() as db:
            db.execute(
                "UPDATE attempts SET ended_at = ?, outcome = ?, code = ?, fact = ? WHERE seq = ?",
                (self.now(), outcome, code, fact, seq),
            )

    def skip(self, placement: Placement, outcome: Outcome, fact: str) -> None:
        """Write down that a place was not even tried, and why."""
        self._insert(placement, self.now(), outcome, "", fact)

    def abandon(self) -> Attempt | None:
        """Close what a killed client left open; returns the newest of that, or None."""
        still_open = [one for one in self.all() if one.ended_at is None]
        for one in still_open:
            self.end(one.seq, Outcome.ABANDONED, fact="its client ended before it")
        return still_open[-1] if still_open else None

    def newest(self) -> int:
        """The number of the newest try; 0 when there was none."""
        tries = self.all()
        return tries[-1].seq if tries else 0

    def all(self, *, after: int = 0) -> list[Attempt]:
        """Every try, or those with a number above `after`, oldest first."""
        with self.journal.transaction() as db:
            rows = db.execute(
                "SELECT seq, at, ended_at, region, zone, size, spot, outcome, code, fact FROM attempts"
                " WHERE run_id = ? AND seq > ? ORDER BY seq",
                (self.run_id, after),
            ).fetchall()
        return [
            Attempt(r[0], r[1], r[2], Placement(r[3], r[4], r[5], bool(r[6])), Outcome(r[7]), r[8], r[9]) for r in rows
        ]

    def _insert(self, placement: Placement, ended_at: float | None, outcome: Outcome, code: str, fact: str) -> int:
        with self.journal.transaction() as db:
            cursor = db.execute(
                "INSERT INTO attempts (run_id, at, ended_at, region, zone, size, spot, outcome, code, fact)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self.run_id, self.now(), ended_at, placement.region, placement.zone, placement.size,
                    int(placement.spot), outcome, code, fact,
                ),
            )  # fmt: skip
            return int(cursor.lastrowid or 0)
