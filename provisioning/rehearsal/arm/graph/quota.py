"""How many queries Resource Graph answers."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.graph.problems import bad_request

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.errors import ArmError

WINDOW_SECONDS = 5.0


class QueryQuota:
    """So many queries in five seconds, for the one user that there is. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = 0.0
        self._used = 0

    def take(self, limit: int) -> dict[str, str]:
        """Count one query; the headers that say what is left.

        Raises:
            ArmError: 429 RateLimiting.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._began >= WINDOW_SECONDS:
                self._began, self._used = now, 0
            self._used += 1
            left_seconds = max(1, round(self._began + WINDOW_SECONDS - now))
            headers = {
                "x-ms-user-quota-remaining": str(max(0, limit - self._used)),
                "x-ms-user-quota-resets-after": f"00:00:{left_seconds:02}",
            }
            if self._used > limit:
                raise _throttled({**headers, "Retry-After": str(left_seconds)})
            return headers


def _throttled(headers: dict[str, str]) -> ArmError:
    message = (
        "Client application has been throttled and should not attempt to repeat the request until an amount of time "
        "has elapsed. Please see https://aka.ms/resourcegraph-throttling for help."
    )
    error = bad_request({"code": "RateLimiting", "message": message}, code="RateLimiting", status=429)
    error.headers = headers
    return error
