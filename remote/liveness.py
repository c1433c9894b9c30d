"""Noticing that the other side is gone: TCP's and SSH's keepalives say nothing of a black hole or a frozen machine."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import ReadableBuffer

PING_SECONDS = 5.0
# A blocked peer stops taking bulk bytes but has room for a ping: only larger writes prove that it still reads.
_BULK_BYTES = 1024


class WatchedSocket(socket.socket):
    """A connected socket that remembers when the other side last gave or took bytes."""

    def __init__(self, connected: socket.socket) -> None:
        timeout = connected.gettimeout()
        super().__init__(fileno=connected.detach())
        self.settimeout(timeout)
        self._last_sign = time.monotonic()

    @property
    def silent_seconds(self) -> float:
        """Seconds since the last sign of life."""
        return time.monotonic() - self._last_sign

    def send(self, data: ReadableBuffer, flags: int = 0, /) -> int:
        """Like `socket.send`."""
        sent = super().send(data, flags)
        if sent >= _BULK_BYTES:
            self._last_sign = time.monotonic()
        return sent

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Like `socket.recv`."""
        data = super().recv(size, flags)
        self._last_sign = time.monotonic()
        return data


class Watch:
    """Asks for a sign of life while the line is quiet and gives it up after too long a silence.

    Two threads, because a ping waits for its answer for as long as the connection stands.
    """

    def __init__(
        self, line: WatchedSocket, *, ping: Callable[[], None], give_up: Callable[[], None], silence_seconds: float
    ) -> None:
        self._line = line
        self._ping = ping
        self._give_up = give_up
        self._silence_seconds = silence_seconds
        self._step_seconds = min(PING_SECONDS, silence_seconds / 4)
        self._over = threading.Event()

    def start(self) -> None:
        """Begin watching."""
        for task in (self._keep_asking, self._keep_watching):
            threading.Thread(target=task, name="llamalift-liveness", daemon=True).start()

    def stop(self) -> None:
        """Stop watching; returns at once."""
        self._over.set()

    def _keep_asking(self) -> None:
        while not self._over.wait(self._step_seconds):
            if self._line.silent_seconds >= self._step_seconds:
                self._ping()

    def _keep_watching(self) -> None:
        while not self._over.wait(self._step_seconds / 2):
            if self._line.silent_seconds >= self._silence_seconds:
                self._over.set()
                self._give_up()
