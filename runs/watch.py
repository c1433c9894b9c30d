"""What machines say, for a page that is looked at again and again: asked beside it, never waited for.

Nothing here asks the cloud. A machine is asked by one client at a time, over a connection that is kept while somebody
looks, and only while its job goes on: whoever looks would keep an idle machine from ending itself.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from remote.errors import RemoteError
from runs.errors import RunError
from runs.looking import is_over, job_of, look_at

if TYPE_CHECKING:
    from remote.agent import AgentStatus
    from remote.session import Session
    from runs.run import Run

_WORKERS = 8
_CONNECT_SECONDS = 8.0
# A machine that is silent is asked less and less often.
_LONGEST_PAUSE_SECONDS = 60.0
# Nobody has looked for so long: the connection goes.
_KEEP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard of one machine.

    Attributes:
        agent: What it said last, or None.
        at: When, in seconds since the epoch.
        silence: Why it said nothing when it was asked last; empty when it spoke, or there is none to ask.
        asking: It is being asked now.
    """

    agent: AgentStatus | None = None
    at: float | None = None
    silence: str = ""
    asking: bool = False


@dataclass(slots=True)
class _Machine:
    """One run's machine. `heard` and the times are read by anybody; the rest belongs to whoever asks."""

    heard: Heard = Heard()
    asked_at: float = 0.0
    looked_at: float = 0.0
    pause_seconds: float = 0.0
    job: tuple[object, ...] = ()
    session: Session | None = None
    busy: threading.Lock = field(default_factory=threading.Lock)


class Watcher:
    """Asks machines. May be used from several threads; close it, or use `with`."""

    def __init__(self) -> None:
        self._machines: dict[str, _Machine] = {}
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="watch")
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        """The watcher itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def heard(self, run: Run, *, every_seconds: float) -> Heard:
        """What the run's machine said last, at once; it is asked again where that is older than `every_seconds`."""
        machine = self._machines.setdefault(run.run_id, _Machine())
        machine.looked_at = time.monotonic()
        due = max(every_seconds, machine.pause_seconds)
        if machine.looked_at - machine.asked_at < due and machine.asked_at:
            return machine.heard
        job = job_of(run.journal, run.run_id)
        if job is None:
            return replace(machine.heard, silence="")
        if machine.job == job and _is_over(machine.heard):
            return machine.heard
        if machine.busy.acquire(blocking=False):
            machine.asked_at, machine.job = time.monotonic(), job
            machine.heard = replace(machine.heard, asking=True)
            try:
                self._workers.submit(self._ask, run, machine)
            except RuntimeError:  # closed meanwhile
                machine.busy.release()
        return machine.heard

    def hang_up_unwatched(self) -> None:
        """Close the connections at whose machines nobody has looked for a minute."""
        for machine in list(self._machines.values()):
            if time.monotonic() - machine.looked_at >= _KEEP_SECONDS and machine.busy.acquire(blocking=False):
                _hang_up(machine)
                machine.busy.release()

    def close(self) -> None:
        """Ask nothing more and close every connection; a question that is open ends by its own deadline."""
        self._closed.set()
        self._workers.shutdown(wait=False, cancel_futures=True)
        for machine in list(self._machines.values()):
            _hang_up(machine)

    def _ask(self, run: Run, machine: _Machine) -> None:
        try:
            agent = _look(run, machine)
        except (RemoteError, RunError) as error:
            _hang_up(machine)
            machine.pause_seconds = min(max(5.0, 2 * machine.pause_seconds), _LONGEST_PAUSE_SECONDS)
            machine.heard = replace(machine.heard, silence=error.fact, asking=False)
            machine.asked_at = time.monotonic()
        else:
            machine.pause_seconds = 0.0
            machine.heard = Heard(agent, time.time())
            # What is behind by more than one answer's bytes is asked on with the next look.
            is_whole = agent.metrics is None or agent.metrics.end >= agent.metrics.size
            machine.asked_at = time.monotonic() if is_whole else 0.0
        finally:
            if self._closed.is_set():
                _hang_up(machine)
            machine.busy.release()


def _look(run: Run, machine: _Machine) -> AgentStatus:
    from remote.session import Session

    with run.context() as context:
        if machine.session is None:
            machine.session = Session.connect(context.endpoint(), deadline_seconds=_CONNECT_SECONDS)
        return look_at(context, machine.session)


def _hang_up(machine: _Machine) -> None:
    session, machine.session = machine.session, None
    if session is not None:
        with suppress(RemoteError):
            session.close()


def _is_over(heard: Heard) -> bool:
    """Its job has ended or not begun: there is nothing new to hear until there is another one."""
    return heard.agent is not None and (heard.agent.phase == "waiting" or is_over(heard.agent))
