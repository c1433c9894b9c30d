"""The launchers of several machines meet, and notice when one of them has gone."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from templates.training.meeting import Attempt, Lines, NobodyCameError, meet

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = "127.0.0.1"
_SECONDS = 10.0


@pytest.fixture
def port() -> int:
    """A port that is free."""
    with socket.create_server((_HERE, 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Each launcher is a thread here."""
    with ThreadPoolExecutor(8) as threads:
        yield threads


def _all_meet(pool: ThreadPoolExecutor, port: int, nodes: int) -> list[Lines]:
    waiting = [pool.submit(meet, node, nodes, _HERE, port, patience_seconds=_SECONDS) for node in range(nodes)]
    return [one.result(_SECONDS) for one in waiting]


def test_all_are_told_the_same_attempt(pool: ThreadPoolExecutor, port: int) -> None:
    """Three machines, in whatever order they come, learn one name and one port; the next attempt has others."""
    first = _all_meet(pool, port, 3)
    assert len({(one.attempt.name, one.attempt.port) for one in first}) == 1
    for one in first:
        one.close(in_order=True)
    second = _all_meet(pool, port, 3)
    assert second[0].attempt.name != first[0].attempt.name
    for one in second:
        one.close(in_order=True)


def test_all_halve_as_often_as_the_one_that_ran_full(pool: ThreadPoolExecutor, port: int) -> None:
    """Only one machine's agent knows that its GPU ran full; the rows are dealt out alike on all."""
    wishes = {0: 0, 1: 2, 2: 1}
    waiting = [
        pool.submit(meet, one, 3, _HERE, port, patience_seconds=_SECONDS, halvings=wishes[one]) for one in wishes
    ]
    lines = [one.result(_SECONDS) for one in waiting]
    assert [one.attempt.halvings for one in lines] == [2, 2, 2]
    for one in lines:
        one.close(in_order=True)


def test_a_line_that_breaks_is_told_once(pool: ThreadPoolExecutor, port: int) -> None:
    """A launcher that goes without a goodbye is named to the first machine; one that says goodbye is not."""
    first, second, third = _all_meet(pool, port, 3)
    lost: list[int] = []
    told = threading.Event()

    def hear(number: int) -> None:
        lost.append(number)
        told.set()

    first.watch(hear)
    second.close(in_order=True)
    third.close(in_order=False)
    assert told.wait(_SECONDS)
    assert lost == [2]
    assert first.lost == 2
    first.close(in_order=False)


def test_the_others_notice_that_the_first_has_gone(pool: ThreadPoolExecutor, port: int) -> None:
    """Also a machine that only has a line to the first one hears of its end."""
    first, second = _all_meet(pool, port, 2)
    told = threading.Event()
    second.watch(lambda _number: told.set())
    first.close(in_order=False)
    assert told.wait(_SECONDS)
    second.close(in_order=False)


def test_who_knocks_again_counts_once(pool: ThreadPoolExecutor, port: int) -> None:
    """A launcher that was killed while it waited, and came again, has its own place; the third is waited for."""
    first = pool.submit(meet, 0, 3, _HERE, port, patience_seconds=_SECONDS)
    for _ in range(100):
        try:
            gone = socket.create_connection((_HERE, port), timeout=_SECONDS)
            break
        except ConnectionError:
            continue
    gone.sendall(b'{"node": 1, "halvings": 0}\n')
    gone.close()
    others = [pool.submit(meet, node, 3, _HERE, port, patience_seconds=_SECONDS) for node in (1, 2)]
    lines = [one.result(_SECONDS) for one in (first, *others)]
    assert len({one.attempt.name for one in lines}) == 1
    for one in lines:
        one.close(in_order=True)


def test_nobody_comes(port: int) -> None:
    """Whoever stands alone gives up in time, and says who is missing."""
    with pytest.raises(NobodyCameError, match="did not come: 2, 3"):
        meet(0, 3, _HERE, port, patience_seconds=0.2)
    with pytest.raises(NobodyCameError, match="no door"):
        meet(1, 3, _HERE, port, patience_seconds=0.2)


def test_an_end_in_order_is_no_loss(pool: ThreadPoolExecutor, port: int) -> None:
    """Neither the one that ends nor the one that hears its goodbye takes that for a lost machine, or stumbles."""
    lines, lost = _all_meet(pool, port, 2), list[int]()
    for one in lines:
        one.watch(lost.append)
    for one in lines:
        one.close(in_order=True)
    for thread in [thread for thread in threading.enumerate() if thread.name == "meeting"]:
        thread.join(_SECONDS)
    assert lost == []


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_attempt_may_end_before_anybody_looks() -> None:
    """A training that fails at once closes its lines before the watch has begun; that is no error of the watch."""
    for _ in range(200):
        here, there = socket.socketpair()
        lines, lost = Lines(Attempt("once", 1, _HERE), {1: here}), list[int]()
        lines.watch(lost.append)
        lines.close(in_order=True)
        there.close()
        assert lost == []
    watching = [thread for thread in threading.enumerate() if thread.name == "meeting"]
    for thread in watching:
        thread.join(_SECONDS)
    assert not any(thread.is_alive() for thread in watching)
