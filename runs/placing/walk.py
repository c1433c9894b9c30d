"""One walk through every place that the run file allows, in order, until a machine is rented."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.errors import ProvisioningError, ThrottledError, TransientError
from runs.errors import SpecError
from runs.journal.attempts import Outcome
from runs.placing.failures import outcome_of
from runs.placing.market import Market, ask_market, outcome_of_obstacle, unasked_market
from runs.placing.pauses import THROTTLE_WAITS, TRANSIENT_SECONDS
from runs.placing.reach import within_reach
from runs.placing.words import place_words

if TYPE_CHECKING:
    from provisioning.types import Placement
    from runs.context import RunContext
    from runs.journal.attempts import AttemptLog
    from runs.placing.pauses import Pace
    from runs.placing.tries import Tries
    from runs.plan.placements import PricedPlacement
    from runs.types import StageName


class Walk:
    """Tries each place once, some of them again where that helps; every try is in the log.

    Attributes:
        last_error: What the newest try raised; None when none did.
        advice: The one thing to change, of the first place that was not even tried; empty when each was.
    """

    def __init__(
        self, context: RunContext, stage: StageName, pace: Pace, log: AttemptLog, tries: Tries, *, after: int
    ) -> None:
        self.last_error: ProvisioningError | None = None
        self.advice = ""
        self._context = context
        self._stage = stage
        self._pace = pace
        self._log = log
        self._tries = tries
        self._after = after
        # For the whole walk: trouble that meets every place is not waited for at every place.
        self._transient_seconds, self._throttle_waits = iter(TRANSIENT_SECONDS), iter(range(THROTTLE_WAITS))
        self._closed: set[tuple[str, str]] = set()

    def begin_at(self, placement: Placement) -> bool:
        """Try the place where something of the run may stand already; True when a machine runs there."""
        return self._try(placement, unasked_market(self._context))

    def through(self, *, only_open: bool) -> bool:
        """Try every place that this walk has not tried yet; True when a machine is rented.

        Args:
            only_open: Leave out those that failed so lately that it would be no use.
        """
        market = ask_market(self._context, self._say)
        return any(self._visit(one, market) for one in self._left(market, only_open=only_open))

    def _left(self, market: Market, *, only_open: bool) -> list[PricedPlacement]:
        done = {one.placement for one in self._log.all(after=self._after) if one.outcome is not Outcome.ABANDONED}
        left = [one for one in self._allowed(market) if one.placement not in done]
        if not only_open:
            return left
        tries, now = self._log.all(), self._pace.now()
        return [one for one in left if self._pace.reopens_at(one.placement, tries) <= now]

    def _allowed(self, market: Market) -> tuple[PricedPlacement, ...]:
        """Every place of the run file; for a disk that holds something those to which it may follow."""
        home = self._tries.home() if self._tries.has_data else None
        if home is None:
            return market.places
        return within_reach(market.places, home, self._tries.furthest)

    def _visit(self, one: PricedPlacement, market: Market) -> bool:
        """Try a place, unless something is known to stand in the way; True when a machine is rented."""
        limit = market.limit_of(one.placement)
        if one.obstacle is not None:
            self.advice = self.advice or one.obstacle.hint
            self._log.skip(one.placement, outcome_of_obstacle(one.obstacle.why), one.obstacle.fact)
        elif limit in self._closed:
            self._log.skip(one.placement, Outcome.QUOTA, f"the limit that was just met counts here, too: {limit[1]}")
        elif self._try(one.placement, market):
            return True
        elif self.last_error is not None and outcome_of(self.last_error) is Outcome.QUOTA:
            self._closed.add(limit)
        return False

    def _try(self, placement: Placement, market: Market) -> bool:
        """Try one place, again where that may help; True when a machine is rented."""
        while True:
            error = self._once(placement, market)
            if error is None:
                return True
            if isinstance(error, ThrottledError) and next(self._throttle_waits, None) is not None:
                self._say(f"{place_words(placement)}: the cloud asks to wait")
                self._pace.throttle(error.wait_seconds)
            elif isinstance(error, TransientError) and (seconds := next(self._transient_seconds, None)) is not None:
                self._say(f"{place_words(placement)}: once more in a moment, {error.fact}")
                self._pace.pause(seconds)
            else:
                return False

    def _once(self, placement: Placement, market: Market) -> ProvisioningError | None:
        """One attempt, its row before it and its outcome after it; None when a machine is rented.

        Raises:
            ProvisioningError: It is permanent.
            SpecError: What the run file asks for cannot be had there.
        """
        self._say(f"{placement.size} in {place_words(placement)}")
        row = self._log.begin(placement)
        try:
            self._tries.rent(placement, market)
        except ProvisioningError as error:
            outcome = outcome_of(error)
            self._log.end(row, outcome, code=error.code, fact=error.fact)
            self.last_error = error
            if outcome is Outcome.REFUSED:
                raise
            return error
        except SpecError as error:
            self._log.end(row, Outcome.REFUSED, fact=str(error))
            raise
        self._log.end(row, Outcome.RENTED)
        return None

    def _say(self, message: str) -> None:
        self._context.reporter.waiting(self._stage, message)
