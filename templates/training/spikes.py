"""A loss that jumps. A warning only: most jumps mend themselves, and no restart from the same data would avoid one."""

from __future__ import annotations

import math
import statistics
from collections import deque

_REMEMBERED = 64
_ENOUGH = 16
# A normal distribution leaves six standard deviations twice in a thousand million; 1.4826 makes one of the median
# absolute deviation (en.wikipedia.org/wiki/Median_absolute_deviation).
_DEVIATIONS = 6.0
_OF_MAD = 1.4826
# A flat curve has hardly any deviation: less than a quarter above the median is no jump.
_LEAST_SHARE = 0.25


class SpikeWatch:
    """Remembers the last 64 logged losses."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._losses: deque[float] = deque(maxlen=_REMEMBERED)
        self._high = False

    def see(self, step: int, loss: float) -> str | None:
        """Take one more loss; words when a jump begins with it, None otherwise (also while it lasts)."""
        if not math.isfinite(loss):
            return None
        limit = self._limit()
        was_high, self._high = self._high, loss > limit
        usual = statistics.median(self._losses) if self._losses else loss
        self._losses.append(loss)
        if not self._high or was_high:
            return None
        return f"the loss jumped at step {step}: {loss:.4g}, after {usual:.4g}; training goes on"

    def _limit(self) -> float:
        if len(self._losses) < _ENOUGH:
            return math.inf
        usual = statistics.median(self._losses)
        deviation = _OF_MAD * statistics.median(abs(loss - usual) for loss in self._losses)
        return usual + max(_DEVIATIONS * deviation, _LEAST_SHARE * abs(usual))
