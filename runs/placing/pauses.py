"""When a place that failed may be tried again. Pure but for the clock, which tests bring along."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.journal.attempts import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from provisioning.types import Placement
    from runs.journal.attempts import Attempt

_MINUTE, _HOUR = 60.0, 3600.0
# The first pause after a failure and the longest, which each further one doubles up to. The longest are for how long
# karpenter-provider-azure believes such an answer (its unavailable-offerings cache, 2026-06): an allocation failure and
# spot that is not offered for 1 h, a size that is not offered on demand for 23 h, a quota for 10 min.
_BOUNDS = {
    Outcome.CAPACITY: (2 * _MINUTE, _HOUR),
    Outcome.QUOTA: (10 * _MINUTE, 10 * _MINUTE),
    Outcome.NOT_OFFERED: (15 * _MINUTE, 23 * _HOUR),
    Outcome.THROTTLED: (5 * _MINUTE, 30 * _MINUTE),
    Outcome.TROUBLE: (_MINUTE, 15 * _MINUTE),
    # Each copy to another region is paid for.
    Outcome.MOVE: (_HOUR, 23 * _HOUR),
}
_SPOT_NOT_OFFERED_SECONDS = _HOUR
# So that many clients that failed together do not come back together.
_JITTER_SHARE = 0.1
# The same call again at the same place, before anything else is tried; in one walk.
TRANSIENT_SECONDS = (10.0, 40.0)
THROTTLE_WAITS = 2
_UNTOLD_THROTTLE_SECONDS, _LONGEST_THROTTLE_SECONDS = _MINUTE, 30 * _MINUTE
# The sleep is cut into pieces, because a laptop that sleeps stops the clock that `sleep` goes by.
_PIECE_SECONDS = 15.0
_REHEARSAL_SCALE = 1 / 120


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast time goes: on the rehearsal cloud nobody wants to wait for minutes.

    Attributes:
        scale: What every pause is multiplied by.
        now: The time, in seconds since the epoch.
        sleep: Sleeps for so many seconds.
        chance: A number from 0 to 1 by chance.
    """

    scale: float = 1.0
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random

    @classmethod
    def of(cls, cloud: str) -> Pace:
        """The pace that suits a cloud."""
        return cls(scale=_REHEARSAL_SCALE if cloud == "rehearsal" else 1.0)

    def pause(self, seconds: float) -> None:
        """Sleep for a pause of so many seconds."""
        self.sleep_until(self.now() + seconds * self.scale)

    def sleep_until(self, moment: float) -> None:
        """Sleep until the clock on the wall says `moment`."""
        while (left := moment - self.now()) > 0:
            self.sleep(min(left, _PIECE_SECONDS))

    def throttle(self, told_seconds: float | None) -> None:
        """Wait as the cloud told us, within bounds."""
        told = _UNTOLD_THROTTLE_SECONDS if told_seconds is None else told_seconds
        self.pause(min(told, _LONGEST_THROTTLE_SECONDS))

    def reopens_at(self, placement: Placement, log: Sequence[Attempt]) -> float:
        """When a place may be tried again, in seconds since the epoch.

        Args:
            placement: The place.
            log: All tries so far, oldest first.
        """
        tries = [one for one in log if one.placement == placement]
        last = tries[-1] if tries else None
        if last is None or last.outcome not in _BOUNDS or last.ended_at is None:
            return 0.0
        first, longest = _BOUNDS[last.outcome]
        if last.outcome is Outcome.NOT_OFFERED and placement.spot:
            longest = _SPOT_NOT_OFFERED_SECONDS
        alike = next((n for n, one in enumerate(reversed(tries)) if one.outcome is not last.outcome), len(tries))
        seconds = min(longest, first * 2.0 ** min(alike - 1, 16))
        return last.ended_at + seconds * self.scale

    def jittered(self, moment: float) -> float:
        """A moment a little later than the one given."""
        return moment + max(0.0, moment - self.now()) * _JITTER_SHARE * self.chance()
