"""The way through a jump host (bastion): the user's own ssh carries our connection to the machine.

Not paramiko's own channel in a channel: the system's ssh knows the user's configuration, agent, hardware keys and
known hosts, so that whatever leads to the jump host for `ssh` does so for us, and it encrypts in a process of its own.
The machine's host key is checked by us all the same, inside.
"""

from __future__ import annotations

import shlex
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

from remote.errors import JumpRefusedError, RemoteError, UnreachableError
from remote.text import printable

_KNOCK_SECONDS = 5.0
_END_SECONDS = 5.0
_LET_IN_SECONDS = 30.0
_LOOK_SECONDS = 0.05
# BatchMode: nobody is there to type a password, or to say yes to an unknown key.
_OPTIONS = (
    "-o", "BatchMode=yes",
    "-o", "StrictHostKeyChecking=yes",
    "-o", "ForwardAgent=no",
    "-o", "ConnectTimeout=15",
    "-o", "ServerAliveInterval=15",
)  # fmt: skip


def proxy_command(jump: str) -> str:
    """The way through `jump` (`[user@]host[:port]`, or a name in the user's ssh_config) as a ProxyCommand."""
    return shlex.join(["ssh", *_OPTIONS, "-W", "[%h]:%p", *_destination(jump)])


def check_jump(jump: str) -> None:
    """Make sure that the jump host lets us in, before anything is rented behind it.

    Raises:
        JumpRefusedError: It is there and does not: an unknown or changed host key, or no key of ours that it takes.
        UnreachableError: It is not there.
    """
    # Nothing answers on the discard port: only whether we come so far is asked.
    with Tunnel.through(jump, "127.0.0.1", 9) as tunnel:
        deadline = time.monotonic() + _LET_IN_SECONDS
        while not tunnel.was_let_in and tunnel.is_running and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        if not tunnel.was_let_in:
            raise tunnel.refusal()


class Tunnel:
    """A running way through: `line` is our end of it."""

    def __init__(self, jump: str, line: socket.socket, process: subprocess.Popen[bytes], notes: Path) -> None:
        self.line = line
        self._jump = jump
        self._process = process
        self._notes = notes
        threading.Thread(target=self._reap, name="llamalift-jump", daemon=True).start()

    @classmethod
    def through(cls, jump: str, host: str, port: int) -> Self:
        """Start it; whether anybody lets us through shows when the first bytes are awaited.

        Raises:
            RemoteError: This computer has no OpenSSH client.
        """
        ours, theirs = socket.socketpair()
        notes = Path(tempfile.mkdtemp(prefix="llamalift-jump-"))
        # ssh runs the local command once the jump host has let us in: no word of its need be understood for that.
        mark = f"touch {shlex.quote(str(notes / 'in'))}"
        told = ("-o", "PermitLocalCommand=yes", "-o", f"LocalCommand={mark}")
        argv = ["ssh", *_OPTIONS, *told, "-W", f"[{host}]:{port}", *_destination(jump)]
        try:
            with (notes / "said").open("wb") as said:
                end = theirs.fileno()
                # A session of its own: Ctrl-C is for us, who then close the line.
                process = subprocess.Popen(argv, stdin=end, stdout=end, stderr=said, start_new_session=True)
        except OSError as error:
            ours.close()
            shutil.rmtree(notes)
            raise RemoteError(
                f"a jump host needs this computer's own OpenSSH client: {error.strerror}",
                hint="install it; `llamalift doctor` looks for it",
            ) from error
        finally:
            theirs.close()
        return cls(jump, ours, process, notes)

    @property
    def was_let_in(self) -> bool:
        """Whether the jump host has let us in."""
        return (self._notes / "in").exists()

    @property
    def is_running(self) -> bool:
        """Whether its program still runs."""
        return self._process.poll() is None

    def refusal(self) -> RemoteError:
        """Why nothing came through, once nothing did: only what passes by itself is worth another try."""
        self._end()
        words = printable((self._notes / "said").read_text(errors="replace")).strip().rpartition("\n")[2]
        words = words or "ssh says nothing"
        if self.was_let_in:
            return UnreachableError(
                f"nothing answers behind the jump host {self._jump}: {words}",
                hint="is the machine running, and does it admit the jump host's address? `llamalift status RUN` says",
            )
        fact = f"the jump host {self._jump} does not let us through: {words}"
        if _answers(self._jump):
            return JumpRefusedError(
                fact,
                hint=f"`ssh {self._jump}` must work without a question: its host key in your known_hosts, "
                "your key in its authorized_keys",
            )
        return UnreachableError(fact, hint=f"does `ssh {self._jump}` work?")

    def close(self) -> None:
        """End it, and forget what it said."""
        self._end()
        shutil.rmtree(self._notes, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end(self) -> None:
        self.line.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _reap(self) -> None:
        """A line that is closed ends the program; nobody else may wait for it."""
        self._process.wait()


def _destination(jump: str) -> list[str]:
    where, separator, port = jump.rpartition(":")
    return ["-p", port, where] if separator and port.isdigit() else [jump]


def _answers(jump: str) -> bool:
    """Whether the jump host itself can be reached, as far as that can be told without its own ssh."""
    argv = ["ssh", *_OPTIONS, "-G", *_destination(jump)]
    said = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    settings = dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
    if {"proxycommand", "proxyjump"} & settings.keys():
        return False
    try:
        with socket.create_connection((settings["hostname"], int(settings["port"])), timeout=_KNOCK_SECONDS):
            return True
    except (OSError, KeyError, ValueError):
        return False
