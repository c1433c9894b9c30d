"""Runs tasks side by side, each as soon as what it needs is done."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# How long an interrupted run waits for all its threads, which look at `stop` ten times a second.
_FAREWELL_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Task:
    """A named piece of work and the names of those that must be done before it."""

    name: str
    run: Callable[[], None]
    needs: frozenset[str] = field(default_factory=frozenset)


class _Ended:
    """What a task's thread reports: its name, and what it raised."""

    def __init__(self, name: str, error: BaseException | None) -> None:
        self.name = name
        self.error = error


def run_all(tasks: Sequence[Task], stop: threading.Event) -> None:
    """Run every task; on the first failure set `stop`, start nothing more, and raise that failure.

    The threads are daemons: a client that is told to leave must not be held by a cloud that takes its time.

    Raises:
        BaseException: What the first failing task raised, or an interruption of the calling thread.
    """
    waiting = {task.name: task for task in tasks}
    running: dict[str, threading.Thread] = {}
    done: set[str] = set()
    ended: queue.SimpleQueue[_Ended] = queue.SimpleQueue()
    try:
        while waiting or running:
            for task in [task for task in waiting.values() if task.needs <= done]:
                running[task.name] = _start(waiting.pop(task.name), ended)
            end = ended.get()
            del running[end.name]
            if end.error is not None:
                raise end.error
            done.add(end.name)
    except BaseException:
        stop.set()
        farewell = time.monotonic() + _FAREWELL_SECONDS
        for thread in running.values():
            thread.join(max(0.0, farewell - time.monotonic()))
        raise


def _start(task: Task, ended: queue.SimpleQueue[_Ended]) -> threading.Thread:
    def run() -> None:
        try:
            task.run()
        except BaseException as error:  # noqa: BLE001  (handed to the thread that waits for it)
            ended.put(_Ended(task.name, error))
        else:
            ended.put(_Ended(task.name, None))

    thread = threading.Thread(target=run, name=f"provision {task.name}", daemon=True)
    thread.start()
    return thread
