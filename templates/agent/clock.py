"""Time that a wrong clock cannot fool: limits are checked against it each second."""

from __future__ import annotations

import time

_JUMP_SECONDS = 5.0
_BELIEVE_AFTER_SECONDS = 60.0


class SteadyClock:
    """Seconds since the epoch.

    The wall clock is believed while it moves like the monotonic one. A jump (a clock set right or wrong, a machine that
    slept) is believed once it has lasted a minute; until then time goes on from the last agreement.
    """

    def __init__(self, wall: float | None = None, monotonic: float | None = None) -> None:
        self._offset = (time.time() if wall is None else wall) - (time.monotonic() if monotonic is None else monotonic)
        self._doubted_since: float | None = None

    def now(self, wall: float | None = None, monotonic: float | None = None) -> float:
        """Seconds since the epoch; both arguments are for tests."""
        wall = time.time() if wall is None else wall
        monotonic = time.monotonic() if monotonic is None else monotonic
        offset = wall - monotonic
        if abs(offset - self._offset) <= _JUMP_SECONDS:
            self._doubted_since = None
            self._offset = offset
        elif self._doubted_since is None:
            self._doubted_since = monotonic
        elif monotonic - self._doubted_since >= _BELIEVE_AFTER_SECONDS:
            self._doubted_since = None
            self._offset = offset
        return monotonic + self._offset
