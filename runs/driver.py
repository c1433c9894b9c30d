"""Who drives a run, for two computers: the journal's lease is seen by one, a tag of the run's group by all.

The tag is written with the group, renewed every five minutes and emptied at the end, so that it costs a run next to
nothing: no call of its own at the start, two each five minutes. It is believed for three missed beats. Whoever did not
renew it for so long (a laptop that slept) reads it once before the next effect in the cloud.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from provisioning.errors import ProvisioningError
from provisioning.processes import is_running
from runs.errors import JournalError, RunBusyError
from runs.facts import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.context import RunContext
    from runs.journal import Journal

DRIVER_TAG = "llamalift-driver"
BEAT_SECONDS = 300.0
# Three missed beats and a minute for clocks that do not agree.
STALE_SECONDS = 16 * 60.0
# Ctrl-C must not wait for a cloud that does not answer; the tag then grows old by itself.
_FAREWELL_SECONDS = 5.0
_LONGEST_HOST_NAME = 60


@dataclass(frozen=True, slots=True)
class Driver:
    """A client that drives a run.

    Attributes:
        client: Whose journal it is: chance, made once per journal and run.
        host: Its computer's name, for people.
        node: Which computer, as far as can be told: a hash of its name and hardware address.
        pid: Its process there.
        since: When it began, in seconds since the epoch.
        beat: When it last said so; 0 once it has let go.
    """

    client: str
    host: str
    node: str
    pid: int
    since: int
    beat: int

    def to_tag(self) -> str:
        """The tag's value; at most 256 characters, as Azure asks."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_tag(cls, value: str | None) -> Driver | None:
        """Read a tag's value; None when it is empty or was written by something else."""
        try:
            return cls(**json.loads(value or ""))
        except (ValueError, TypeError):
            return None

    def drives(self, now: float) -> bool:
        """Whether it still has to be reckoned with; on this computer a dead process needs no waiting for."""
        if not self.beat or now - self.beat > STALE_SECONDS:
            return False
        return self.node != _node() or is_running(self.pid)


def driver_here(journal: Journal, run_id: str, *, since: float | None = None) -> Driver:
    """This process, driving a run now."""
    client = journal.get(run_id, Client)
    if client is None:
        client = Client(uuid.uuid4().hex[:12])
        journal.put(run_id, client)
    now = time.time()
    host = socket.gethostname()[:_LONGEST_HOST_NAME]
    return Driver(client.id, host, _node(), os.getpid(), int(since or now), int(now))


@contextmanager
def driving(context: RunContext, *, adopting: bool = False, take_over: bool = False) -> Iterator[None]:
    """Drive the run, as far as other computers are concerned, for as long as the block lasts.

    A run without a group yet has nobody to be told; its group is made with the tag.

    Args:
        context: The run.
        adopting: This computer is about to let itself in, so that another one's name in the tag is no obstacle.
        take_over: Nor is a name that must be reckoned with.

    Raises:
        RunBusyError: Another computer drives it, or has adopted it; the message says which, and what to do.
    """
    wheel = Wheel(context)
    if context.has_group():
        wheel.take(adopting=adopting, take_over=take_over)
    context.journal.fences[context.run_id] = wheel.confirm
    stop = threading.Event()
    threading.Thread(target=wheel.keep, args=(stop,), daemon=True, name="driver-heartbeat").start()
    try:
        yield
    finally:
        stop.set()
        del context.journal.fences[context.run_id]
        wheel.let_go()


class Wheel:
    """What one client holds while it drives. `confirm` may be called from any thread."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._me = driver_here(context.journal, context.run_id)
        self._confirmed_at = time.time()
        self._successor: Driver | None = None
        self._lock = threading.Lock()

    def take(self, *, adopting: bool, take_over: bool) -> None:
        """Write our name into the tag.

        Raises:
            RunBusyError: Another client's name is in it.
        """
        other = self._other()
        if other is not None:
            if not take_over:
                refuse_driven(self._context.run_id, other)
            if not adopting:
                # It has taken our key out of the machine, and knows what we do not.
                raise _succeeded(self._context.run_id, other)
        self._write(self._me)

    def confirm(self) -> None:
        """Make sure that nobody has taken the run over; asks the cloud only after a silence of ours.

        Raises:
            RunBusyError: Somebody has.
        """
        with self._lock:
            if time.time() - self._confirmed_at > STALE_SECONDS and self._context.has_group():
                self._look()
            if self._successor is not None:
                raise _succeeded(self._context.run_id, self._successor)

    def keep(self, stop: threading.Event) -> None:
        """Renew the tag until told to stop; trouble with that is left to the next beat."""
        while not stop.wait(BEAT_SECONDS):
            try:
                self.beat()
            except (ProvisioningError, JournalError):
                continue

    def beat(self) -> None:
        """Renew the tag, unless somebody else's name is in it: then this client has been succeeded."""
        with self._lock:
            if not self._context.has_group():
                self._confirmed_at = time.time()
                return
            self._look()
            if self._successor is None:
                self._write(replace(self._me, beat=int(time.time())))

    def let_go(self) -> None:
        """Say that nobody drives the run now, where it goes on without us. Waits a few seconds at most."""
        if self._successor is not None or not self._context.has_group():
            return
        farewell = threading.Thread(target=self._say_farewell, daemon=True, name="driver-farewell")
        farewell.start()
        farewell.join(_FAREWELL_SECONDS)

    def _say_farewell(self) -> None:
        try:
            with self._lock:
                if self._other() is None:
                    self._write(replace(self._me, beat=0))
        except ProvisioningError as error:
            self._context.journal.event(self._context.run_id, f"could not say that nobody drives the run: {error}")

    def _look(self) -> None:
        other = self._other()
        # One that has come and gone has still succeeded us: it has moved the rule and the keys.
        self._successor = other
        self._confirmed_at = time.time()

    def _other(self) -> Driver | None:
        """Who else is in the tag."""
        found = Driver.from_tag(self._context.cloud.read_mark(self._context.run_id, DRIVER_TAG))
        return found if found is not None and found.client != self._me.client else None

    def _write(self, driver: Driver) -> None:
        self._context.cloud.write_mark(self._context.run_id, DRIVER_TAG, driver.to_tag())
        self._confirmed_at = time.time()


def refuse_driven(run_id: str, driver: Driver | None) -> None:
    """Refuse a run that somebody else drives now.

    Raises:
        RunBusyError: Somebody does.
    """
    if driver is not None and driver.drives(time.time()):
        raise _busy(run_id, driver)


def _busy(run_id: str, other: Driver) -> RunBusyError:
    return RunBusyError(
        f"another computer drives this run: process {other.pid} on {other.host}, since {_clock(other.since)}, "
        f"last heard of at {_clock(other.beat)}",
        hint=f"stop it there; if that computer is gone, take the run over with `llamalift adopt {run_id} --take-over`, "
        f"or wait until it has been silent for {STALE_SECONDS / 60:.0f} minutes",
    )


def _succeeded(run_id: str, successor: Driver) -> RunBusyError:
    return RunBusyError(
        f"another computer has taken this run over: {successor.host}, at {_clock(successor.since)}",
        hint=f"to have it back: `llamalift adopt {run_id}` here, once nobody drives it there",
    )


def _clock(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _node() -> str:
    return hashlib.sha256(f"{socket.gethostname()} {uuid.getnode():x}".encode()).hexdigest()[:8]
