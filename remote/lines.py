"""A command on the machine as a line that bytes go through: over the session's own connection, or over one of its own.

A connection of its own is a process of the system's `ssh`. Python encrypts under one lock, so a second paramiko
connection in this process would share the first one's core; `ssh` does not, and in processes of its own it was faster
than paramiko (`docs/decisions/0007-ssh-carries-lanes.md`). It trusts exactly what the session trusts.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from remote.errors import CommandFailedError, CommandTimeoutError, RemoteError, UnreachableError
from remote.jump import proxy_command
from remote.running import RECONNECT_HINT
from remote.ssh_config import quoted
from remote.text import printable

if TYPE_CHECKING:
    from remote.command import Command
    from remote.running import RunningCommand
    from remote.session import Session
    from remote.types import Endpoint

# The first is the cheapest on processors with AES instructions, and every OpenSSH of the last ten years knows it.
CIPHERS = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes256-ctr"
_ALIAS = "llamalift-machine"
_CONNECT_SECONDS = 15
# Together a quarter of a minute: the other connections take over its work, so giving it up costs little.
_ALIVE_SECONDS, _ALIVE_COUNT = 3, 5
_STALL_SECONDS = 900.0
_PIPE_BYTES = 1024 * 1024
_STDERR_TAIL_BYTES = 64 * 1024
_UNREACHABLE = 255
# Linux's number; other systems have no such call and smaller pipes.
_F_SETPIPE_SZ = getattr(fcntl, "F_SETPIPE_SZ", None)


class Line(Protocol):
    """Standard input and output of one command on the machine."""

    def write(self, data: bytes | memoryview) -> None:
        """Send all of `data`.

        Raises:
            CommandFailedError: The command ended without reading it.
            UnreachableError: The connection broke.
        """
        ...

    def read(self, size: int) -> bytes:
        """At most `size` bytes of its output; empty at its end."""
        ...

    def end(self) -> None:
        """Let it end, and see that it ended well; the errors are those of `write`."""
        ...

    def close(self) -> None:
        """Let go of it, whatever it does."""
        ...


class SessionLine:
    """A command over the session's connection."""

    def __init__(self, session: Session, command: Command) -> None:
        self._running: RunningCommand = session.start(command)

    def write(self, data: bytes | memoryview) -> None:
        """See `Line`."""
        self._running.write(bytes(data) if isinstance(data, memoryview) else data)

    def read(self, size: int) -> bytes:
        """See `Line`."""
        return self._running.read(size)

    def end(self) -> None:
        """See `Line`."""
        with contextlib.suppress(UnreachableError):
            self._running.close_stdin()
        exit_code = self._running.wait()
        if exit_code != 0:
            raise self._running.failure(exit_code)

    def close(self) -> None:
        """See `Line`."""
        self._running.close()


class SshLine:
    """A command over a connection of its own."""

    def __init__(self, endpoint: Endpoint, command: Command) -> None:
        self._where = f"{endpoint.host}:{endpoint.port}"
        self._command = command
        self._folder = tempfile.TemporaryDirectory(prefix="llamalift-ssh-")
        self._process = subprocess.Popen(
            ssh_arguments(endpoint, Path(self._folder.name), command),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        self._input, self._output = (pipe.fileno() for pipe in (self._process.stdin, self._process.stdout) if pipe)
        for pipe in (self._input, self._output):
            _prepare(pipe)
        self._stderr = bytearray()
        self._stderr_reader = threading.Thread(target=self._drain_stderr, name="llamalift-stderr", daemon=True)
        self._stderr_reader.start()

    def write(self, data: bytes | memoryview) -> None:
        """See `Line`."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._input, view) :]
            except BlockingIOError:
                self._wait_for(self._input, select.POLLOUT)
            except OSError:
                raise self._failure() from None

    def read(self, size: int) -> bytes:
        """See `Line`."""
        while True:
            try:
                return os.read(self._output, size)
            except BlockingIOError:
                self._wait_for(self._output, select.POLLIN)

    def end(self) -> None:
        """See `Line`."""
        self._close_input()
        while self.read(_PIPE_BYTES):
            pass
        if self._exit_code() != 0:
            raise self._failure()

    def abort(self) -> None:
        """End the connection now; may be called from another thread, and whoever uses the line sees it broken."""
        self._process.kill()

    def close(self) -> None:
        """See `Line`."""
        self.abort()
        with self._process:  # closes the pipes and waits
            self._close_input()
        self._folder.cleanup()

    def _close_input(self) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _wait_for(self, pipe: int, event: int) -> None:
        waiting = select.poll()
        waiting.register(pipe, event)
        if not waiting.poll(_STALL_SECONDS * 1000):
            raise CommandTimeoutError(
                f"the machine did not take or give a byte for {_STALL_SECONDS:.0f} seconds: {self._where}",
                exit_code=124,
                stderr="",
                hint="look at the machine with `llamalift ssh RUN`",
            )

    def _exit_code(self) -> int:
        self._close_input()
        try:
            return self._process.wait(_STALL_SECONDS)
        except subprocess.TimeoutExpired:
            return -1

    def _failure(self) -> RemoteError:
        exit_code = self._exit_code()
        self._stderr_reader.join(_CONNECT_SECONDS)
        said = self._command.masked(printable(self._stderr.decode(errors="replace"))).strip()
        last_line = said.rpartition("\n")[2] or "it said nothing"
        if exit_code == _UNREACHABLE or exit_code < 0:
            return UnreachableError(
                f"a connection for the transfer broke ({last_line}): {self._where}", hint=RECONNECT_HINT
            )
        return CommandFailedError(
            f"the transfer failed on the machine (exit code {exit_code}): {last_line}", exit_code=exit_code, stderr=said
        )

    def _drain_stderr(self) -> None:
        while self._process.stderr and (data := self._process.stderr.read(4096)):
            self._stderr += data
            del self._stderr[:-_STDERR_TAIL_BYTES]


def has_ssh() -> bool:
    """Whether this computer has OpenSSH's client."""
    return shutil.which("ssh") is not None


def ssh_arguments(endpoint: Endpoint, folder: Path, command: Command) -> list[str]:
    """The system's `ssh` with this run's trust and nothing of the user's own settings.

    Args:
        endpoint: Where, as whom, and which host keys are accepted.
        folder: A private folder for the list of host keys.
        command: What to run there.
    """
    known = folder / "known_hosts"
    known.write_text("".join(f"{_ALIAS} {line}\n" for line in endpoint.host_keys))
    settings = {
        "BatchMode": "yes",
        "Ciphers": CIPHERS,
        "ClearAllForwardings": "yes",
        "Compression": "no",
        "ConnectTimeout": _CONNECT_SECONDS,
        "ControlPath": "none",
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": _ALIAS,
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "LogLevel": "ERROR",
        "PreferredAuthentications": "publickey",
        "ServerAliveCountMax": _ALIVE_COUNT,
        "ServerAliveInterval": _ALIVE_SECONDS,
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "UserKnownHostsFile": quoted(known),
    }
    if endpoint.jump:
        settings["ProxyCommand"] = proxy_command(endpoint.jump)
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    key_file = str(endpoint.key_file).replace("%", "%%")
    return [
        "ssh", "-F", "none", "-T", *options, "-i", key_file, "-p", str(endpoint.port), "-l", endpoint.username,
        "--", endpoint.host, command.render(),
    ]  # fmt: skip


def _prepare(pipe: int) -> None:
    os.set_blocking(pipe, False)
    if _F_SETPIPE_SZ is not None:
        # More than the user's share of pipe memory is refused; the pipe works all the same.
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_BYTES)
