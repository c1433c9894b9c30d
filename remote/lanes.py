"""How many connections a transfer takes, and their life: as many as the link and the cores can use, none for little."""

from __future__ import annotations

import math
import os
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from remote.errors import SignInRefusedError, UnreachableError
from remote.far_end import FarEnd, program
from remote.jobs import Jobs, Work, work_through
from remote.lines import SessionLine, SshLine, has_ssh
from remote.session import RECEIVE_WINDOW_BYTES, Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remote.types import Endpoint

_Job = TypeVar("_Job")

# OpenSSH lets so much travel before it wants an answer (CHAN_SES_WINDOW_DEFAULT, 64 packets of 32 KiB): on a long link
# it is the limit of a connection, 42 MB/s with 50 ms of round trip and 14 MB/s with 150 ms.
_WINDOW_BYTES = 2 * 1024 * 1024
# What one connection can do where the link is no limit: a core that encrypts (measured 140-300 MB/s).
_CORE_BYTES_PER_SECOND = 200e6
# What is worth filling: a link of 2 Gbit/s.
_LINK_BYTES_PER_SECOND = 250e6
# sshd refuses at random from the tenth connection on that has not signed in (MaxStartups 10:30:100).
_MOST_LANES = 8
# To make, fill and rename a file. One folder takes one new file at a time, whoever makes it (measured: 90-120 us).
_FILE_SECONDS = 1e-4
_MOST_CORES = 4
# To connect, exchange keys, sign in and start the program: so many round trips, and for each connection so much of a
# core. Meanwhile the session moves files with what is left of the cores; that this is half its rate is assumed.
_ROUND_TRIPS_TO_START = 9
_CORE_SECONDS_TO_START = 0.25
_SHARE_MEANWHILE = 0.5
# Below this the cores are the limit, and Python's encryption should make room for `ssh`'s.
_SHORT_LINK_SECONDS = 0.01
# Less is never worth another connection.
_LEAST_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Load:
    """What a transfer moves.

    Attributes:
        content_bytes: Bytes that are to travel.
        files: How many files they make.
        comes_home: From the machine, not to it.
    """

    content_bytes: int
    files: int = 1
    comes_home: bool = False


def lanes_for(load: Load, round_trip: float, cores: int | None = None) -> int:
    """How many connections beside the session's move `load` soonest; 0 where the session alone is as fast.

    Args:
        load: What is to travel.
        round_trip: Seconds there and back.
        cores: Cores of this computer; by default as many as it has.
    """
    usable_cores = min(cores or os.cpu_count() or 1, _MOST_CORES)
    by_link = math.ceil(_LINK_BYTES_PER_SECOND * round_trip / _WINDOW_BYTES)
    most = min(_MOST_LANES, max(by_link, usable_cores))
    # Of equals the fewest.
    return min(range(most + 1), key=lambda count: _seconds(count, load, round_trip, usable_cores))


def _seconds(count: int, load: Load, round_trip: float, cores: int) -> float:
    """About how long `load` takes with `count` connections beside the session's."""
    disk_rate = load.content_bytes / max(load.files * _FILE_SECONDS, 1e-6)
    lane_rate = min(_CORE_BYTES_PER_SECOND, _WINDOW_BYTES / max(round_trip, 1e-6))
    window = RECEIVE_WINDOW_BYTES if load.comes_home else _WINDOW_BYTES
    session_rate = min(_CORE_BYTES_PER_SECOND, window / max(round_trip, 1e-6), disk_rate)
    if count == 0:
        return load.content_bytes / session_rate
    start_seconds = _ROUND_TRIPS_TO_START * round_trip + _CORE_SECONDS_TO_START * math.ceil(count / cores)
    left_bytes = max(0.0, load.content_bytes - start_seconds * session_rate * _SHARE_MEANWHILE)
    together = count * lane_rate + (session_rate if round_trip >= _SHORT_LINK_SECONDS else 0.0)
    return start_seconds + left_bytes / min(
        disk_rate, together, max(_LINK_BYTES_PER_SECOND, cores * _CORE_BYTES_PER_SECOND)
    )


class Lanes:
    """The session's line and, while jobs are done, connections of their own."""

    def __init__(self, session: Session, far: FarEnd, *, count: int | None = None) -> None:
        self._session = session
        self.far = far
        self._count = count

    def carry_out(self, jobs: Sequence[_Job], work: Work[_Job], load: Load) -> None:
        """Do every job; while one connection is left, the loss of others costs only what they had under way.

        Args:
            jobs: What is to be done.
            work: How a job is done.
            load: What they move in all.

        Raises:
            RemoteError: The first thing that went wrong with the files, or the loss of the last connection.
        """
        if self._count is None and load.content_bytes < _LEAST_BYTES:
            work_through(self.far, Jobs(jobs), work)
            return
        queue = Jobs(jobs)
        trip = self._session.round_trip_seconds
        count = lanes_for(load, trip) if self._count is None else self._count
        with ExitStack() as stack:
            crew = _Crew(self._session.endpoint, queue, work)
            stack.callback(crew.dismiss)
            crew.hire(min(count, len(jobs)))
            # On a long link the session's connection adds its own window; on a short one it helps until others are up.
            is_short = trip < _SHORT_LINK_SECONDS
            work_through(self.far, queue, work, may_take=lambda: not (is_short and crew.is_up))
            crew.wait()
            work_through(self.far, queue, work)
            if queue.error is not None:
                raise queue.error


class _Crew:
    """Threads with a connection each."""

    def __init__(self, endpoint: Endpoint, jobs: Jobs[_Job], work: Work[_Job]) -> None:
        self._endpoint = endpoint
        self._jobs = jobs
        self._work = work
        self._aborts = ExitStack()
        self._threads: list[threading.Thread] = []
        self._left = 0
        self._up = threading.Event()
        self._dismissed = False
        self._lock = threading.Lock()

    @property
    def is_up(self) -> bool:
        """Whether one of them works."""
        return self._up.is_set()

    def hire(self, count: int) -> None:
        self._left = count
        for _ in range(count):
            thread = threading.Thread(target=self._run, name="llamalift-lane", daemon=True)
            self._threads.append(thread)
            thread.start()

    def wait(self) -> None:
        """Until all is done, or something went wrong, or every connection of theirs is lost."""
        self._jobs.wait_for(lambda: self._jobs.is_over or self._left == 0)

    def dismiss(self) -> None:
        """End them now."""
        self._jobs.stop(UnreachableError("the transfer was given up"))
        with self._lock:
            self._dismissed = True
            self._aborts.close()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        try:
            with ExitStack() as stack:
                far = self._open(stack)
                if far is not None:
                    far.hello()
                    self._up.set()
                    work_through(far, self._jobs, self._work)
        except (UnreachableError, SignInRefusedError):
            self._up.clear()  # its jobs are given back; whoever is left does them
        except BaseException as error:  # noqa: BLE001 - it is raised where the transfer was asked for
            self._jobs.stop(error)
        finally:
            self._left -= 1
            self._jobs.poke()

    def _open(self, stack: ExitStack) -> FarEnd | None:
        with self._lock:
            if self._dismissed:
                return None
            if has_ssh():
                line = SshLine(self._endpoint, program())
                self._aborts.callback(line.abort)
                return stack.enter_context(FarEnd(line))
        session = stack.enter_context(Session.connect(self._endpoint, deadline_seconds=0))
        with self._lock:
            self._aborts.callback(session.close)
        return stack.enter_context(FarEnd(SessionLine(session, program())))
