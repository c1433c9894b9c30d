"""Which calls came in, from whom, and how they were answered; read through the private door."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.http import Request

# About 30 MB in memory; the oldest are forgotten first.
_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One call that was answered, or whose connection was dropped by a scripted fault.

    Attributes:
        number: Counts all calls since the emulator started, from 1, in the order in which they ended.
        method: HTTP method.
        path: Decoded, without the query.
        status: HTTP status of the answer; 0 for a dropped connection.
        principal: Object id of the caller; empty for sign-in calls and bad tokens.
        began_at: Unix time in seconds.
        seconds: How long the answer took.
    """

    number: int
    method: str
    path: str
    status: int
    principal: str
    began_at: float
    seconds: float


class RequestLog:
    """The latest calls, in memory: an emulator that was killed starts an empty one. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._requests: deque[LoggedRequest] = deque(maxlen=_KEPT)

    def add(self, request: Request, *, status: int, principal: str, began_at: float, seconds: float) -> None:
        """Write down one call."""
        with self._lock:
            number = next(self._numbers)
            self._requests.append(
                LoggedRequest(number, request.method, request.path, status, principal, began_at, seconds)
            )

    def after(self, number: int) -> list[LoggedRequest]:
        """The calls whose number is greater than `number`."""
        with self._lock:
            return [request for request in self._requests if request.number > number]
