"""Files on their way to or from the machine, whatever the connection does; and how fast, for the screen."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from remote.errors import UnreachableError
from runs.power import refuse_if_off
from runs.types import EventKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from remote.session import Session
    from remote.types import TransferProgress
    from runs.context import RunContext
    from runs.types import StageName

_Moved = TypeVar("_Moved")

# As long as the trainer's follower tries; `Session.connect` pauses longer and longer in between.
_RECONNECT_SECONDS = 600.0
# Connections that break one after the other without a byte more: what stands in the way is not the line's mood.
_MOST_IN_VAIN = 3
# What the rate is taken over: steady enough to read, soon enough to see a change.
_WINDOW_SECONDS = 8.0
_SOONEST_SECONDS = 1.0


def keep_moving(
    context: RunContext, stage: StageName, what: str, move: Callable[[Session, TransferProgress], _Moved]
) -> _Moved:
    """Do `move` to its end: over a new connection, and from where it stood, each time that the old one breaks.

    Args:
        context: The run.
        stage: Whose line on the screen shows bytes, rate and time left.
        what: The name of what moves.
        move: Moves it; called again after a break, it must continue.

    Raises:
        UnreachableError: No new connection within ten minutes, three broke without a byte more, or the cloud says that
            the machine is off.
        RemoteError: What else `move` raises.
    """
    best_bytes, in_vain, lost = -1, 0, False
    while True:
        speed = Speed(context, stage, what)
        try:
            if lost:
                session = context.session(stage, deadline_seconds=_RECONNECT_SECONDS, fresh=True)
            else:
                session = context.session(stage)
            return move(session, speed)
        except UnreachableError:
            in_vain = 0 if speed.done_bytes > best_bytes else in_vain + 1
            best_bytes = max(best_bytes, speed.done_bytes)
            if in_vain >= _MOST_IN_VAIN:
                raise
            lost = True
            context.reporter.waiting(stage, f"{what}: connection lost, reconnecting")
            context.journal.event(
                context.run_id, f"connection lost while files moved, reconnecting: {what}", EventKind.CONNECTION_LOST
            )
            refuse_if_off(context)


class Speed:
    """Shows a transfer's progress with its rate and the time that is left.

    Attributes:
        done_bytes: How far it is; -1 before the first word of it.
    """

    def __init__(self, context: RunContext, stage: StageName, what: str) -> None:
        self._context = context
        self._stage = stage
        self._what = what
        self._seen: deque[tuple[float, int]] = deque()
        self.done_bytes = -1
        context.reporter.waiting(stage, what)

    def __call__(self, done_bytes: int, total_bytes: int) -> None:
        """`done_bytes` of `total_bytes` have moved."""
        self.done_bytes = done_bytes
        self._seen.append((time.monotonic(), done_bytes))
        while self._seen[-1][0] - self._seen[0][0] > _WINDOW_SECONDS:
            self._seen.popleft()
        self._context.reporter.progress(self._stage, done_bytes, total_bytes, "bytes")
        (then, before), (now, _) = self._seen[0], self._seen[-1]
        if now - then >= _SOONEST_SECONDS:
            rate = (done_bytes - before) / (now - then)
            self._context.reporter.waiting(self._stage, f"{self._what}, {rate_words(rate, total_bytes - done_bytes)}")


def rate_words(bytes_per_second: float, left_bytes: int) -> str:
    """`87.3 MB/s, 2 m 05 s left`."""
    words = f"{bytes_per_second / 1e6:.1f} MB/s"
    if left_bytes <= 0 or bytes_per_second <= 0:
        return words
    seconds = round(left_bytes / bytes_per_second)
    minutes, rest = divmod(seconds, 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{words}, {hours} h {minutes_left:02} m left"
    return f"{words}, {minutes} m {rest:02} s left" if minutes else f"{words}, {rest} s left"
