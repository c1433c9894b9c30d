"""Looks for a machine, walk after walk, until one is rented or the time is over."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from provisioning.errors import ThrottledError, TransientError
from runs.facts import Decided, Rented, Searching
from runs.journal.attempts import AttemptLog
from runs.placing.decide import placement_of
from runs.placing.giving_up import nothing_to_be_had
from runs.placing.tries import Tries
from runs.placing.walk import Walk
from runs.placing.words import summary

if TYPE_CHECKING:
    from provisioning.types import Placement
    from runs.context import RunContext
    from runs.journal.attempts import Attempt
    from runs.placing.pauses import Pace
    from runs.types import StageName

_DAY_SECONDS = 24 * 3600.0


class Search:
    """One client's search. Its state is in the journal: the tries, and where the walk that goes on began."""

    def __init__(self, context: RunContext, stage: StageName, pace: Pace) -> None:
        self._context = context
        self._stage = stage
        self._pace = pace
        self._log = AttemptLog(context.journal, context.run_id, pace.now)
        self._tries = Tries(context, stage)

    def run(self) -> None:
        """Rent a machine, or finish what a killed client began; afterwards the journal has `Rented`.

        Raises:
            CapacityError: There is none anywhere; it says what was tried. `QuotaError` when all of it was quota.
            ProvisioningError: What no other place would mend.
        """
        cut_off = self._log.abandon()
        begun = self._begun_place(cut_off)
        is_first = True
        while True:
            walk = self._walk()
            found = begun is not None and walk.begin_at(begun)
            found = found or walk.through(only_open=not is_first and not self._is_over)
            if found:
                self._end_walk()
                return
            self._wait_or_give_up(walk)
            begun, is_first = self._begun_place(None), False

    def _begun_place(self, cut_off: Attempt | None) -> Placement | None:
        """The place where something of the run may stand: it comes first, whatever the list says."""
        decided = self._context.get(Decided)
        if self._tries.has_data:
            return self._tries.home()
        if self._context.get(Rented) is not None:
            return placement_of(decided) if decided is not None else None
        return cut_off.placement if cut_off is not None else None

    def _walk(self) -> Walk:
        """A new walk, or the one that was cut off."""
        after = self._searching.walk_after
        if after is None:
            after = self._log.newest()
            self._put(replace(self._searching, walk_after=after))
        return Walk(self._context, self._stage, self._pace, self._log, self._tries, after=after)

    def _wait_or_give_up(self, walk: Walk) -> None:
        """Wait for the next walk.

        Raises:
            ProvisioningError: The time is over, or there is none.
        """
        tried = self._log.all(after=self._searching.walk_after or 0)
        until, now, is_over = self._searching.until, self._pace.now(), self._is_over
        self._clear(tried, only_broken=is_over)
        self._end_walk()
        if until is None or is_over:
            home = self._tries.home() if self._tries.has_data else None
            raise nothing_to_be_had(self._context, tried, walk, home=home)
        at = min(until, self._next_walk_at(tried))
        when = f"next try at {_clock(at, now)}, until {_clock(until, now)}"
        self._context.reporter.note(f"no machine to be had: {summary(tried)}; {when}")
        self._context.reporter.waiting(self._stage, f"a machine to be had: {when}")
        self._pace.sleep_until(at)

    def _clear(self, tried: list[Attempt], *, only_broken: bool) -> None:
        """Before a long pause nothing may stand that costs money; at the end at least no broken machine.

        A disk that holds something stays, and its own machine with it, which may be started again.
        Trouble with that never hides why there is no machine: what is left is in the ledger, and the next try or
        `down` deletes it.
        """
        decided, keep = self._context.get(Decided), None
        if decided is None:
            return
        if self._tries.has_data:
            keep = self._tries.home()
            if all(one.placement == keep for one in tried):
                return
        elif only_broken:
            keep = placement_of(decided)
        try:
            self._tries.make_room(keep)
        except (TransientError, ThrottledError) as error:
            self._context.journal.event(self._context.run_id, f"making room failed: {error}")

    def _next_walk_at(self, tried: list[Attempt]) -> float:
        """When the first place may be tried again."""
        tries = self._log.all()
        now = self._pace.now()
        opens = min((self._pace.reopens_at(one.placement, tries) for one in tried), default=now)
        return self._pace.jittered(max(opens, now + self._pace.scale))

    @property
    def _is_over(self) -> bool:
        until = self._searching.until
        return until is None or until <= self._pace.now()

    @property
    def _searching(self) -> Searching:
        return self._context.get(Searching) or Searching()

    def _end_walk(self) -> None:
        self._put(replace(self._searching, walk_after=None))

    def _put(self, searching: Searching) -> None:
        self._context.journal.put(self._context.run_id, searching)


def _clock(at: float, now: float) -> str:
    """Local time of day; with the date when it is more than a day away."""
    return time.strftime("%H:%M:%S" if at - now < _DAY_SECONDS else "%Y-%m-%d %H:%M", time.localtime(at))
