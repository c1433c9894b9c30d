"""Runs one command on one channel, with three streams or with a terminal."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import termios
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from provisioning.rehearsal.machines.in_process import terminal_leader

if TYPE_CHECKING:
    from collections.abc import Callable

    import paramiko

_CHUNK_BYTES = 64 * 1024


class Terminal:
    """The terminal that a client asked for; its own side is opened with the command."""

    def __init__(self, name: str, width: int, height: int) -> None:
        self.name = name
        self._size = (height, width)
        self._side: int | None = None

    def open(self) -> tuple[int, int]:
        """Make the pair of terminal devices: (ours, the command's)."""
        ours, theirs = os.openpty()
        self._side = ours
        termios.tcsetwinsize(ours, self._size)
        return ours, theirs

    def resize(self, width: int, height: int) -> None:
        """The client's window changed."""
        self._size = (height, width)
        if self._side is not None:
            # The command may just have ended.
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetwinsize(self._side, self._size)

    def closed(self) -> None:
        """Its side is closed; the number may soon be somebody else's."""
        self._side = None


def run_on_channel(
    channel: paramiko.Channel, argv: list[str], environment: dict[str, str], home: str, *, terminal: Terminal | None
) -> None:
    """Run a command until it and its output have ended; hang up on it when the client leaves first.

    As with a real sshd, whatever left the command's process group or ignores SIGHUP stays.
    """
    if terminal is None:
        process, pumps = _start_with_streams(channel, argv, environment, home)
    else:
        process, pumps = _start_in_terminal(channel, argv, environment, home, terminal)
    for pump in [*pumps, threading.Thread(target=_hang_up_with, args=[channel, process], daemon=True)]:
        pump.start()
    code = process.wait()
    for pump in pumps:
        pump.join()
    with contextlib.suppress(OSError, EOFError):  # the client has left
        channel.send_exit_status(code if code >= 0 else 128 - code)
        channel.shutdown_write()
    channel.close()


Started = tuple["subprocess.Popen[bytes]", list[threading.Thread]]


def _start_with_streams(channel: paramiko.Channel, argv: list[str], environment: dict[str, str], home: str) -> Started:
    process = subprocess.Popen(
        argv,
        env=environment,
        cwd=home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        bufsize=0,
    )
    assert process.stdin is not None  # noqa: S101 (asked for above)
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    _daemon(_pump_in, channel, process.stdin.fileno(), process.stdin.close).start()
    pumps = [
        _daemon(_pump_out, process.stdout.fileno(), channel.sendall, process.stdout.close),
        _daemon(_pump_out, process.stderr.fileno(), channel.sendall_stderr, process.stderr.close),
    ]
    return process, pumps


def _start_in_terminal(
    channel: paramiko.Channel, argv: list[str], environment: dict[str, str], home: str, terminal: Terminal
) -> Started:
    ours, theirs = terminal.open()
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(terminal_leader.__file__)), *argv],
        env={**environment, "TERM": terminal.name},
        cwd=home,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)

    def close() -> None:
        terminal.closed()
        os.close(ours)

    _daemon(_pump_in, channel, os.dup(ours), None).start()
    return process, [_daemon(_pump_out, ours, channel.sendall, close)]


def _pump_in(channel: paramiko.Channel, target: int, close: Callable[[], None] | None) -> None:
    """Only as fast as the command reads: the client may send no more than the channel's window ahead."""
    try:
        while data := channel.recv(_CHUNK_BYTES):
            _write_all(target, data)
    except OSError:
        return  # the command has stopped reading
    finally:
        with contextlib.suppress(OSError):
            (close or (lambda: os.close(target)))()


def _write_all(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


def _pump_out(source: int, send: Callable[[bytes], object], close: Callable[[], None]) -> None:
    try:
        while data := os.read(source, _CHUNK_BYTES):
            send(data)
    except OSError:
        return  # the client has left, or (Linux) the last process has left the terminal
    finally:
        close()


def _hang_up_with(channel: paramiko.Channel, process: subprocess.Popen[bytes]) -> None:
    channel.recv_exit_status()  # on a server's side: returns when the channel is closed
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGHUP)


def _daemon(target: Callable[..., None], *args: object) -> threading.Thread:
    return threading.Thread(target=target, args=args, daemon=True)
