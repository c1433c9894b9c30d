"""One command under way on the machine: its standard input, output and error, and how it ended."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from remote.errors import CommandFailedError, CommandTimeoutError, UnreachableError
from remote.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from paramiko import Channel

    from remote.command import Command

CHUNK_BYTES = 256 * 1024
_STDERR_TAIL_BYTES = 64 * 1024


class RunningCommand:
    """Made by `Session.start`; use it as a context manager.

    Standard error is read by a thread of its own (its last 64 KiB are kept), because both outputs share one SSH window
    and an unread one would block the other.
    """

    def __init__(
        self,
        channel: Channel,
        command: Command,
        *,
        translated: Callable[[], AbstractContextManager[None]],
        is_connected: Callable[[], bool],
        timeout_seconds: float | None,
        stall_seconds: float,
    ) -> None:
        self._channel = channel
        self._command = command
        self._translated = translated
        self._is_connected = is_connected
        self._deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        self._stall_seconds = stall_seconds
        self._stderr = bytearray()
        self._stderr_reader = threading.Thread(target=self._drain_stderr, name="llamalift-stderr", daemon=True)
        self._stderr_reader.start()

    def write(self, data: bytes) -> None:
        """Send all of `data` to standard input.

        Raises:
            CommandFailedError: The command ended without reading it.
            CommandTimeoutError: It did not read for too long.
            UnreachableError: The connection broke.
        """
        view = memoryview(data)
        while view:
            sent = self._send(bytes(view[:CHUNK_BYTES]))
            view = view[sent:]

    def close_stdin(self) -> None:
        """Tell the command that no more input comes."""
        with self._translated():
            self._channel.shutdown_write()

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """At most `size` bytes of standard output; empty at its end."""
        self._channel.settimeout(self._patience())
        with self._translated():
            try:
                return self._channel.recv(size)
            except TimeoutError:
                raise self._timed_out() from None

    def wait(self) -> int:
        """Discard the rest of the output and return the exit code; -1 says that a signal ended the command.

        Raises:
            CommandTimeoutError: It did not end in time.
            UnreachableError: The connection broke before the command's end was known.
        """
        while self.read():
            pass
        if not self._channel.status_event.wait(self._patience()):
            raise self._timed_out()
        exit_code = self._channel.exit_status
        if exit_code == -1 and not self._is_connected():
            raise UnreachableError(f"the connection broke while this ran: {self._command}", hint=RECONNECT_HINT)
        self._stderr_reader.join(self._stall_seconds)
        return exit_code

    @property
    def stderr(self) -> bytes:
        """The last 64 KiB of standard error so far."""
        return bytes(self._stderr)

    def failure(self, exit_code: int) -> CommandFailedError:
        """The error for a command that ended with `exit_code`."""
        said = self._masked_stderr()
        how = "ended by a signal" if exit_code == -1 else f"exit code {exit_code}"
        last_line = said.strip().rpartition("\n")[2] or "it said nothing"
        return CommandFailedError(
            f"`{_shortened(self._command)}` failed on the machine ({how}): {last_line}",
            exit_code=exit_code,
            stderr=said,
        )

    def close(self) -> None:
        """Let go of the command; a running one loses its input and output."""
        # Closing says goodbye, which a broken connection cannot carry; whoever waits for the command learns of it.
        with suppress(UnreachableError), self._translated():
            self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, data: bytes) -> int:
        self._channel.settimeout(self._patience())
        with self._translated():
            try:
                sent = self._channel.send(data)
            except TimeoutError:
                raise self._timed_out() from None
            except OSError:
                # paramiko says "Socket is closed" for both an ended command and a broken connection.
                sent = 0
        if sent == 0:
            raise self.failure(self.wait())
        return sent

    def _patience(self) -> float:
        if self._deadline is None:
            return self._stall_seconds
        return max(0.01, min(self._stall_seconds, self._deadline - time.monotonic()))

    def _timed_out(self) -> CommandTimeoutError:
        return CommandTimeoutError(
            f"the machine did not finish in time: {_shortened(self._command)}",
            exit_code=124,
            stderr=self._masked_stderr(),
            hint="look at the machine with `llamalift ssh RUN`",
        )

    def _masked_stderr(self) -> str:
        return self._command.masked(printable(self.stderr.decode(errors="replace")))

    def _drain_stderr(self) -> None:
        while True:
            try:
                data = self._channel.recv_stderr(CHUNK_BYTES)
            except TimeoutError:
                continue  # the channel has one time limit for both threads; ours has none
            except OSError:
                return
            if not data:
                return
            self._stderr += data
            del self._stderr[:-_STDERR_TAIL_BYTES]


RECONNECT_HINT = "the machine goes on by itself; `llamalift resume RUN` connects again"


def _shortened(command: Command) -> str:
    text = str(command)
    return text if len(text) <= 120 else f"{text[:117]}..."
