"""The pieces of one transfer as jobs, and who does them: a lane that breaks gives its jobs back to the others."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from templates.transfer.bundle import BIG_FILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from remote.far_end import FarEnd
    from templates.transfer.bundle import Piece

_Job = TypeVar("_Job")
_Job_contra = TypeVar("_Job_contra", contravariant=True)

# Small files travel together: so many bytes keep a link busy, and are sent again soon after a cut.
_BATCH_BYTES = 4 * 1024 * 1024
_BATCH_FILES = 512
# Jobs that a lane begins before it sees the end of the first: the link stays busy while an answer travels.
_AHEAD = 2


class Work(Protocol[_Job_contra]):
    """What a lane does with a job. Both are called by several threads, each with its own line."""

    def begin(self, far: FarEnd, job: _Job_contra) -> None:
        """Send what is to be sent for the job."""
        ...

    def end(self, far: FarEnd, job: _Job_contra) -> None:
        """Receive what is to be received for it; afterwards it is done."""
        ...


class Jobs(Generic[_Job]):
    """A queue that is over when every job is done, not when it is empty: a job may come back."""

    def __init__(self, jobs: Iterable[_Job]) -> None:
        self._queue = deque(jobs)
        self._left = len(self._queue)
        self._changed = threading.Condition()
        self._error: BaseException | None = None

    @property
    def error(self) -> BaseException | None:
        """Why it was stopped."""
        return self._error

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to do any more."""
        return self._left == 0 or self._error is not None

    def next(self, *, wait: bool) -> _Job | None:
        """A job; None when all is over, or without `wait` when none is in the queue now."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self.is_over or not wait)
            return self._queue.popleft() if self._queue and not self._error else None

    def done(self) -> None:
        """One job is."""
        with self._changed:
            self._left -= 1
            self._changed.notify_all()

    def give_back(self, jobs: Sequence[_Job]) -> None:
        """These were begun and not done."""
        with self._changed:
            self._queue.extendleft(reversed(jobs))
            self._changed.notify_all()

    def poke(self) -> None:
        """Something that somebody waits for may have changed."""
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Until it holds; it is looked at after every change of the queue and after `poke`."""
        with self._changed:
            self._changed.wait_for(condition)

    def stop(self, error: BaseException) -> None:
        """Nothing more is to be done; the first error counts."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()


def work_through(
    far: FarEnd, jobs: Jobs[_Job], work: Work[_Job], *, may_take: Callable[[], bool] = lambda: True
) -> None:
    """Do jobs over one line until all are over, or `may_take` says that others do them.

    Raises:
        RemoteError: What went wrong; the jobs under way have been given back.
    """
    begun: deque[_Job] = deque()
    try:
        while True:
            job = jobs.next(wait=not begun) if may_take() else None
            if job is not None:
                begun.append(job)
                work.begin(far, job)
            if begun and (job is None or len(begun) > _AHEAD):
                work.end(far, begun[0])
                begun.popleft()
                jobs.done()
            elif job is None:
                return
    except BaseException:
        jobs.give_back(list(begun))
        raise


def in_batches(pieces: Iterable[Piece]) -> list[tuple[Piece, ...]]:
    """Each cell of a big file is a job of its own, and comes first; small files go together, at the end."""
    big: list[tuple[Piece, ...]] = []
    small: list[tuple[Piece, ...]] = []
    batch: list[Piece] = []
    batch_bytes = 0
    for piece in pieces:
        if piece.size >= BIG_FILE_BYTES:
            big.append((piece,))
            continue
        if batch and (batch_bytes + piece.to_send > _BATCH_BYTES or len(batch) >= _BATCH_FILES):
            small.append(tuple(batch))
            batch, batch_bytes = [], 0
        batch.append(piece)
        batch_bytes += piece.to_send
    return [*big, *small, *([tuple(batch)] if batch else [])]
