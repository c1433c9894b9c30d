"""One call to the cloud, carried to its end: waited for with a deadline, repeated while the cloud is busy."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from provisioning.azure.error_codes import BUSY_CODES, NOT_REGISTERED
from provisioning.azure.errors import translated
from provisioning.azure.providers import register
from provisioning.errors import ProvisioningError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core.polling import LROPoller

    from provisioning.azure.clients import Clients

T = TypeVar("T")

OPERATION_SECONDS = 45 * 60.0
_SHORT_NAP_SECONDS = 0.1
# A network interface stays reserved for 180 s after its machine failed or went.
_BUSY_SECONDS = 300.0
_BUSY_PAUSE_POLLS = 3


class AbandonedWaitError(TransientError):
    """Another part of the same work failed or was interrupted; this part stopped waiting."""


class Wait(Protocol):
    """Waits for a long-running operation and returns what it made."""

    def __call__(self, poller: LROPoller[T], /) -> T:
        """The operation's result; raises when it failed or is not done within the deadline."""
        ...


class Operations:
    """Runs calls to the cloud. `stop` set from outside ends every wait within a second."""

    def __init__(self, clients: Clients, stop: threading.Event | None = None) -> None:
        self.clients = clients
        self.stop = stop or threading.Event()

    def run(
        self, doing: str, namespace: str, call: Callable[[Wait], T], *, limit_seconds: float = OPERATION_SECONDS
    ) -> T:
        """Make `call`, which starts operations and waits for them with the `Wait` that it is given.

        Repeated while the cloud says that something else is at work on the resource, at most 5 minutes; an unregistered
        resource provider is registered once.

        Args:
            doing: What, as words that follow "cannot".
            namespace: The resource provider that serves the call.
            call: The SDK call.
            limit_seconds: Deadline for everything, in seconds.

        Raises:
            ProvisioningError: What the cloud said last, or that the deadline is over.
        """
        deadline = time.monotonic() + limit_seconds
        busy_until = min(deadline, time.monotonic() + _BUSY_SECONDS)
        registered = False
        while True:
            try:
                with translated(doing):
                    return call(self._wait(doing, deadline))
            except ProvisioningError as error:
                if _is_unregistered(error) and not registered:
                    registered = True
                    register(self.clients, namespace, self.pause)
                elif error.code.lower() in BUSY_CODES and time.monotonic() < busy_until:
                    self.pause(self.clients.endpoint.poll_seconds * _BUSY_PAUSE_POLLS)
                else:
                    raise

    def look_until(
        self,
        doing: str,
        look: Callable[[], T],
        is_reached: Callable[[T], bool],
        describe: Callable[[T], str],
        *,
        limit_seconds: float = OPERATION_SECONDS,
    ) -> T:
        """Look again and again until `is_reached`; `describe` is called for each look that is not there yet.

        Raises:
            TransientError: The deadline is over.
        """
        deadline = time.monotonic() + limit_seconds
        while not is_reached(found := look()):
            state = describe(found)
            if time.monotonic() > deadline:
                raise _too_late(doing, state)
            self.pause(self.clients.endpoint.poll_seconds)
        return found

    def wait_for(self, event: threading.Event) -> None:
        """Wait until another part of the same work sets `event`.

        Raises:
            AbandonedWaitError: `stop` was set.
        """
        while not event.wait(_SHORT_NAP_SECONDS):
            self.pause(0.0)

    def pause(self, seconds: float) -> None:
        """Sleep, but not past an interruption.

        Raises:
            AbandonedWaitError: `stop` was set.
        """
        if self.stop.wait(seconds):
            raise AbandonedWaitError("stopped waiting, the rest of the work has ended")

    def _wait(self, doing: str, deadline: float) -> Wait:
        def wait(poller: LROPoller[T], /) -> T:
            while not poller.done():
                if self.stop.is_set():
                    raise AbandonedWaitError(f"stopped waiting to {doing}, the cloud goes on with it")
                if time.monotonic() > deadline:
                    raise _too_late(doing, poller.status())
                poller.wait(_SHORT_NAP_SECONDS)
            return poller.result()

        return wait


def _is_unregistered(error: ProvisioningError) -> bool:
    return isinstance(error, NOT_REGISTERED.error) and error.code == "MissingSubscriptionRegistration"


def _too_late(doing: str, state: str) -> TransientError:
    return TransientError(
        f"cannot {doing}, not finished in time, last state: {state}",
        hint="the cloud may still be working on it; go on from here with: llamalift resume RUN",
    )
