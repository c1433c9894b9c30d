"""Tasks run side by side, each as soon as it can, and stop together."""

from __future__ import annotations

import threading

import pytest

from provisioning.azure.graph import Task, run_all

WAIT_SECONDS = 10


def test_independent_tasks_run_at_the_same_time() -> None:
    """Two tasks that need nothing of each other meet."""
    meeting = threading.Barrier(2, timeout=WAIT_SECONDS)

    def meet() -> None:
        meeting.wait()

    run_all([Task(name, meet) for name in "ab"], threading.Event())
    assert not meeting.broken


def test_tasks_wait_for_what_they_need() -> None:
    """No task starts before those that it needs are done."""
    order: list[str] = []
    tasks = [
        Task("machine", lambda: order.append("machine"), frozenset({"interface", "disk"})),
        Task("interface", lambda: order.append("interface"), frozenset({"address"})),
        Task("disk", lambda: order.append("disk")),
        Task("address", lambda: order.append("address")),
    ]
    run_all(tasks, threading.Event())
    assert order[-1] == "machine"
    assert order.index("address") < order.index("interface")


def test_first_failure_stops_the_rest_and_is_raised() -> None:
    """A failure reaches the caller; what runs is told to stop, what waits never starts."""
    stop = threading.Event()
    stopped: list[bool] = []
    started: list[str] = []

    def fail() -> None:
        raise ValueError("no quota")

    tasks = [
        Task("slow", lambda: stopped.append(stop.wait(WAIT_SECONDS))),
        Task("bad", fail),
        Task("after", lambda: started.append("after"), frozenset({"bad"})),
    ]
    with pytest.raises(ValueError, match="no quota"):
        run_all(tasks, stop)
    assert stopped == [True]
    assert started == []
