"""The host's side of a running machine: its outermost process, and the lifeline that ends it with us.

The lifeline is the process's standard input: it reads nothing from it, and leaves when it ends. That works on every
system and from every thread, where Linux's parent-death signal fires as soon as the *thread* that started the machine
is gone (a web server's thread lives for one request).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioning.errors import RehearsalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class HeldMachine:
    """What this process holds of a machine that it booted.

    Attributes:
        process: Our child; it ends only after everything that it can account for.
        pid: The process whose death is the machine's death (inside a sandbox: its first process).
        clean_up: Ends and removes what the process's own death leaves, where the machine has no sandbox.
    """

    process: subprocess.Popen[bytes]
    pid: int
    clean_up: Callable[[], None] | None = None


_held: dict[int, HeldMachine] = {}
_lock = threading.Lock()


def start_process(
    argv: Sequence[str], environment: Mapping[str, str], console_log: Path, *, pass_fds: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start a machine's outermost process with a lifeline; its output goes to the console log."""
    with console_log.open("ab") as console:
        return subprocess.Popen(
            argv,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=console,
            stderr=subprocess.STDOUT,
            pass_fds=pass_fds,
            start_new_session=True,
            cwd="/",
        )


def hold(machine: HeldMachine) -> None:
    """Remember a machine until `forget`."""
    with _lock:
        _held[machine.pid] = machine


def held(pid: int) -> HeldMachine | None:
    """The machine with this pid, if this process booted it and has not stopped it."""
    with _lock:
        return _held.get(pid)


def forget(pid: int) -> None:
    """Let go of a machine that has ended."""
    with _lock:
        _held.pop(pid, None)


def wait_until_listening(process: subprocess.Popen[bytes], pid_file: Path, *, deadline_seconds: float) -> None:
    """Wait for the SSH server's pid file, which it writes once it listens.

    Raises:
        RehearsalError: The process ended, or the deadline passed.
    """
    deadline = time.monotonic() + deadline_seconds
    while not (pid_file.exists() and pid_file.stat().st_size > 0):
        if process.poll() is not None:
            raise RehearsalError(f"the machine ended while booting, exit code: {process.returncode}")
        if time.monotonic() > deadline:
            raise RehearsalError(f"the machine does not listen, seconds waited: {deadline_seconds:.0f}")
        time.sleep(_POLL_SECONDS)


def switch_off(machine: HeldMachine) -> None:
    """Switch it off hard and wait until none of its processes is left.

    Raises:
        TimeoutError: The operating system does not let one of them go.
    """
    try:
        _kill(machine)
        machine.process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"a machine does not end, pid: {machine.pid}") from error
    finally:
        if machine.process.stdin is not None:
            machine.process.stdin.close()
    if machine.clean_up is not None:
        machine.clean_up()


def _kill(machine: HeldMachine) -> None:
    """In a sandbox our child only watches the first process, and leaves when that and all its descendants are gone."""
    if machine.process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(machine.pid, signal.SIGKILL)
