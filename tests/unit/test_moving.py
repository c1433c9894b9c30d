from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from remote.errors import TransferError, UnreachableError
from runs.moving import keep_moving, rate_words
from runs.types import EventKind, StageName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from remote.session import Session
    from remote.types import TransferProgress
    from runs.context import RunContext


class _Context:
    """As much of a run as moving files needs; it counts its connections and keeps what it is told."""

    run_id = "moving-1"
    node = 0

    def __init__(self) -> None:
        self.connections: list[bool] = []
        self.events: list[str] = []
        self.shown: list[tuple[float, float]] = []
        self.reporter = self
        self.journal = self

    def session(self, _stage: StageName, *, deadline_seconds: float = 0.0, fresh: bool = False) -> Session:
        self.connections.append(fresh and deadline_seconds > 0)
        return cast("Session", self)

    def waiting(self, _stage: StageName, _what: str) -> None:
        pass

    def progress(self, _stage: StageName, done: float, total: float, unit: str) -> None:
        assert unit == "bytes"
        self.shown.append((done, total))

    def event(self, _run_id: str, text: str, kind: EventKind) -> None:
        assert kind is EventKind.CONNECTION_LOST
        self.events.append(text)

    def get(self, _kind: type) -> None:
        """It never rented a machine, so no cloud is asked whether that is off."""


def _run(context: _Context, steps: list[int | Exception]) -> str:
    """Each number is how far a try comes before its connection breaks."""
    left: Iterator[int | Exception] = iter(steps)

    def move(_session: Session, progress: TransferProgress) -> str:
        step = next(left, None)
        if step is None:
            progress(100, 100)
            return "moved"
        if isinstance(step, Exception):
            raise step
        progress(step, 100)
        raise UnreachableError("the connection broke")

    return keep_moving(cast("RunContext", context), StageName.SYNC, "weights", move)


def test_a_broken_connection_is_replaced_as_long_as_bytes_arrive() -> None:
    """Each break costs a new connection and a line in the journal, however many there are."""
    context = _Context()
    assert _run(context, [10, 20, 30, 40, 50]) == "moved"
    assert context.connections == [False, True, True, True, True, True]
    assert sum("reconnecting" in line for line in context.events) == 5
    assert context.shown[-1] == (100, 100)


def test_what_never_gets_further_is_given_up() -> None:
    """Three breaks without a byte more are not the line's mood."""
    context = _Context()
    with pytest.raises(UnreachableError):
        _run(context, [10, 10, 10, 10, 10])
    assert len(context.connections) == 4


def test_trouble_with_the_files_is_not_tried_again() -> None:
    """Only a lost connection is."""
    context = _Context()
    with pytest.raises(TransferError):
        _run(context, [10, TransferError("does not fit")])
    assert len(context.connections) == 2


@pytest.mark.parametrize(
    ("rate", "left", "words"),
    [
        (87.34e6, 0, "87.3 MB/s"),
        (1e6, 5_000_000, "1.0 MB/s, 5 s left"),
        (1e6, 125_000_000, "1.0 MB/s, 2 m 05 s left"),
        (1e6, 7_500_000_000, "1.0 MB/s, 2 h 05 m left"),
        (0, 5, "0.0 MB/s"),
    ],
)
def test_rate_and_time_left_in_words(rate: float, left: int, words: str) -> None:
    """As the screen shows them."""
    assert rate_words(rate, left) == words
