"""Each time that the cloud took a run's machine away: what was done with the notice, and what it has cost."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from runs.facts import Decided, Evictions, Pausing, Searching, Trained
from runs.journal.attempts import AttemptLog, Outcome
from runs.journal.charges import spent_between, spent_dollars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remote.agent import AgentStatus, Departure
    from runs.context import RunContext
    from runs.journal import Journal

# After an eviction there is often no such machine to be had for a while; waiting costs the disk alone.
PATIENCE_SECONDS = 6 * 3600.0
# The machine's own count of dollars and the journal's differ by the minutes in which neither was there.
_CAP_SHARE = 0.97
_LIMIT = "limit"
_CENT = 0.01
_WHAT = {
    "save": "saved in time",
    "drain": "the save on scratch became durable in time",
    "decline": "no time to save",
    "nothing": "nothing to save",
}


@dataclass(frozen=True, slots=True)
class Eviction:
    """One of them. Times in seconds since the epoch.

    Attributes:
        off_at: Since when the cloud says that the machine was off.
        back_at: When training went on, or was cut off again; None until then.
        what: `save`, `drain`, `decline` or `nothing`: what the machine did with its notice; empty while unknown.
        reason: Why, with its numbers.
        notice_seconds: How long the notice was; None without one.
        step: How far training had come.
        saved_step: From where it went on.
        lost_steps: How many steps were trained again.
        lost_seconds: How long that took.
        dollars: What the time until `back_at` and the steps trained again have cost.
    """

    off_at: float
    back_at: float | None = None
    what: str = ""
    reason: str = ""
    notice_seconds: float | None = None
    step: int | None = None
    saved_step: int | None = None
    lost_steps: int = 0
    lost_seconds: float = 0.0
    dollars: float = 0.0

    @property
    def seconds(self) -> float:
        """How much later everything is because of it."""
        return (self.back_at or self.off_at) - self.off_at + self.lost_seconds

    @property
    def words(self) -> str:
        """What was done and lost, in a few words."""
        if self.back_at is None:
            return "not back yet"
        done = "no notice" if self.notice_seconds is None else _WHAT.get(self.what, self.what)
        steps = "no step" if not self.lost_steps else f"{self.lost_steps} step{'s' if self.lost_steps > 1 else ''}"
        return f"{done}; {steps} lost, {self.seconds / 60:.1f} minutes and {_dollars(self.dollars)}"


def evictions_of(journal: Journal, run_id: str) -> tuple[Eviction, ...]:
    """Those of a run, oldest first."""
    kept = journal.get(run_id, Evictions)
    return tuple(Eviction(**row) for row in kept.rows) if kept else ()


def sum_words(found: Sequence[Eviction]) -> str:
    """All of them in a few words; empty for none."""
    if not found:
        return ""
    steps, minutes = sum(one.lost_steps for one in found), sum(one.seconds for one in found) / 60
    lost = f"{steps} step{'s' if steps != 1 else ''}, {minutes:.1f} minutes"
    dollars = _dollars(sum(one.dollars for one in found))
    return f"{len(found)} eviction{'s' if len(found) > 1 else ''}: {lost} and {dollars} lost"


def _dollars(amount: float) -> str:
    return f"${amount:.2f}" if amount >= _CENT else "less than a cent"


def limit_that_ended(context: RunContext, at: float) -> str:
    """Which limit of the run's must have ended a machine that is off since `at`; empty for none."""
    decided = context.get(Decided)
    if context.limit_fired or decided is None:
        return context.limit_fired
    if at >= decided.deadline_at:
        return "deadline"
    spent = spent_dollars(context.journal, context.run_id, at)
    return "dollars" if decided.dollars_cap > 0 and spent >= _CAP_SHARE * decided.dollars_cap else ""


def is_eviction(context: RunContext, at: float) -> bool:
    """Whether a machine that was found deallocated since `at` was taken away by the cloud.

    The cloud does not say why. So it is one where nothing else can be it: a spot machine, at work, not paused, at no
    limit of its own. A machine that somebody deallocates by hand looks the same.
    """
    decided, pausing = context.get(Decided), context.get(Pausing)
    is_paused = pausing is not None and pausing.deadline_at is None
    if decided is None or not decided.spot or is_paused or context.get(Trained) is not None:
        return False
    return not limit_that_ended(context, at)


def note_eviction(context: RunContext, at: float) -> None:
    """Write down that the machine was taken away, once, and that another one is to be waited for."""
    journal, run_id = context.journal, context.run_id
    found = evictions_of(journal, run_id)
    if found and not _was_back(context, found[-1]):
        return
    wish, now = context.get(Searching) or Searching(), time.time()
    if wish.until is None or wish.until < now:
        until = min(now + PATIENCE_SECONDS, context.require(Decided).deadline_at)
        journal.put(run_id, replace(wish, until=until))
    _put(context, [*found, Eviction(off_at=at)])
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
    journal.event(run_id, f"the cloud took the machine away (eviction {len(found) + 1}): off since {when}")


def _was_back(context: RunContext, last: Eviction) -> bool:
    """Whether a machine ran since: each failed start changes the time that the cloud tells."""
    if last.back_at is not None:
        return True
    tries = AttemptLog(context.journal, context.run_id).all()
    return any(one.outcome is Outcome.RENTED and (one.ended_at or 0.0) > last.off_at for one in tries)


def close_evictions(context: RunContext, status: AgentStatus) -> list[str]:
    """Once training has gone on, write down what each open eviction was and cost; gives a line for each.

    A machine that had ended itself at a limit says so then, and was no eviction.
    """
    found = list(evictions_of(context.journal, context.run_id))
    resumed_at = _resumed_at(status)
    if resumed_at is None or all(one.back_at is not None for one in found):
        return []
    kept, lines = [], []
    for index, one in enumerate(found):
        following = found[index + 1].off_at if index + 1 < len(found) else None
        if one.back_at is not None:
            kept.append(one)
            continue
        departure = _departure(status, one.off_at, following)
        if departure is not None and departure.kind == _LIMIT:
            continue
        closed = _closed(context, one, departure, following or resumed_at)
        kept.append(closed)
        lines.append(f"back after eviction {len(kept)}: {closed.words}")
    _put(context, kept)
    for line in lines:
        context.journal.event(context.run_id, line)
    return lines


def _resumed_at(status: AgentStatus) -> float | None:
    """When training went on after the newest end of a start of the machine; None while it has not."""
    last = status.departures[-1] if status.departures else None
    if not status.agent.alive:
        return None  # what was left by the start before
    if last is not None and last.kind != _LIMIT:
        return last.resumed_at
    is_training = status.phase == "running" and status.progress is not None and status.progress.step is not None
    return status.now if is_training or status.phase == "done" else None


def _departure(status: AgentStatus, off_at: float, following: float | None) -> Departure | None:
    """What the next start of the machine wrote down about its end; none where it was taken before it could."""
    fitting = [
        one for one in status.departures if one.closed_at >= off_at and (following is None or one.closed_at < following)
    ]
    return fitting[0] if fitting else None


def _closed(context: RunContext, one: Eviction, departure: Departure | None, back_at: float) -> Eviction:
    decided, back_at = context.require(Decided), max(one.off_at, back_at)
    away = spent_between(context.journal, context.run_id, one.off_at, back_at)
    if departure is None:
        return replace(one, back_at=back_at, what="nothing", reason="taken again before it trained", dollars=away)
    hourly = decided.machine_dollars_per_hour + decided.disk_dollars_per_hour + decided.address_dollars_per_hour
    lost_seconds = departure.lost_steps * (departure.step_seconds or 0.0)
    return replace(
        one,
        back_at=back_at,
        what=departure.what,
        reason=departure.reason,
        notice_seconds=departure.notice_seconds,
        step=departure.step,
        saved_step=departure.saved_step,
        lost_steps=departure.lost_steps,
        lost_seconds=lost_seconds,
        dollars=away + lost_seconds / 3600 * hourly,
    )


def _put(context: RunContext, found: Sequence[Eviction]) -> None:
    context.journal.put(context.run_id, Evictions([asdict(one) for one in found]))
