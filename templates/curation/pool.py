"""Processes that work side by side; their results come in the order of the tasks, whatever their number."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Self, TypeVar

from templates.curation.errors import CurationError
from templates.curation.piecework import Done, Pair, Task, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path
    from types import TracebackType

    from templates.curation.rules import RuleSet

_T = TypeVar("_T")
_R = TypeVar("_R")
# Tasks on their way for each process: enough that none waits, few enough that results do not pile up.
_AHEAD = 3

# The number of a duplicate rule, and the pairs to be compared by it.
Pairs = tuple[int, "Sequence[Pair]"]


class Pool:
    """Runs tasks of `Worker` in processes; with one worker, in this one."""

    def __init__(self, rules: RuleSet, spool: Path, workers: int) -> None:
        """Make it; `with` starts it.

        Raises:
            PatternError: RE2 does not take a regular expression.
        """
        self._worker = Worker(rules, spool)
        self._workers = workers
        self._processes: ProcessPoolExecutor | None = None
        self._made_of = (rules.to_json(), spool)

    def __enter__(self) -> Self:
        if self._workers > 1:
            # Not fork: whoever uses this may have threads.
            context = get_context("spawn")
            self._processes = ProcessPoolExecutor(self._workers, context, _begin, self._made_of)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._processes is not None:
            self._processes.shutdown(wait=True, cancel_futures=True)

    def pieces(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Done]]:
        """Do pieces, one result for each in order."""
        return self._in_order(self._worker.do, _do, tasks)

    def alike(self, tasks: Iterable[Pairs]) -> Iterator[tuple[Pairs, list[bool]]]:
        """Compare pairs of rows, one result for each task in order; see `Worker.alike`."""
        return self._in_order(self._worker.alike, _alike, tasks)

    def _in_order(
        self, here: Callable[[_T], _R], there: Callable[[_T], _R], tasks: Iterable[_T]
    ) -> Iterator[tuple[_T, _R]]:
        if self._processes is None:
            yield from ((task, here(task)) for task in tasks)
            return
        going: deque[tuple[_T, Future[_R]]] = deque()
        try:
            for task in tasks:
                going.append((task, self._processes.submit(there, task)))
                if len(going) >= _AHEAD * self._workers:
                    yield self._next(going)
            while going:
                yield self._next(going)
        except BrokenProcessPool as error:
            raise CurationError(
                "a process that curates was ended from outside (out of memory?); fewer at once take less, there were: "
                f"{self._workers}"
            ) from error
        finally:
            for _, future in going:
                future.cancel()

    def _next(self, going: deque[tuple[_T, Future[_R]]]) -> tuple[_T, _R]:
        task, future = going.popleft()
        return task, future.result()


_worker: Worker | None = None


def _begin(rules: str, spool: Path) -> None:
    """Begin a process: it ends with its parent, and leaves Ctrl+C to it."""
    from templates.curation.rules import RuleSet

    global _worker  # noqa: PLW0603 - a pool's process has one worker, and no other place for it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = Worker(RuleSet.from_json(rules), spool)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _do(task: Task) -> Done:
    assert _worker is not None  # noqa: S101 - _begin comes first
    return _worker.do(task)


def _alike(task: Pairs) -> list[bool]:
    assert _worker is not None  # noqa: S101 - _begin comes first
    return _worker.alike(task)
