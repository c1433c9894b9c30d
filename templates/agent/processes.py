"""Processes: who is who after a restart of the agent, and the whole family of one attempt.

torchrun starts every rank in a session of its own, and its ranks go on training when it is killed: neither a process
group nor a session holds them all. What they all inherit is the environment; so each attempt has its own token there.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable, Iterator

TOKEN_VARIABLE = "LLAMALIFT_ATTEMPT_TOKEN"  # noqa: S105 - a name, and no secret either
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    parent: int
    session: int
    has_token: bool


def boot_id() -> str:
    """Changes with every start of the machine; a local machine has no kernel of its own and says it itself."""
    return os.environ.get("LLAMALIFT_BOOT_ID") or _kernel_boot_id()


def _kernel_boot_id() -> str:
    if sys.platform == "darwin":
        return _output("sysctl", "-n", "kern.bootsessionuuid").strip()
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def identity(pid: int) -> str | None:
    """What tells process `pid` from a later one with the same number; None when it is not alive (or a zombie)."""
    if sys.platform == "darwin":
        words = _output("ps", "-o", "state=,lstart=", "-p", str(pid)).split()
        return None if not words or words[0].startswith("Z") else " ".join(words[1:])
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else f"{_kernel_boot_id()}/{fields[19]}"


def family(token: str) -> set[int]:
    """Every living process of the attempt with `token`: those that carry it, their children and their sessions."""
    entry = f"{TOKEN_VARIABLE}={token}"
    processes = list(_darwin_processes(entry) if sys.platform == "darwin" else _linux_processes(f"{entry}\0"))
    members = {process.pid for process in processes if process.has_token}
    while True:
        more = {process.pid for process in processes if process.parent in members or process.session in members}
        if more <= members:
            return members - {os.getpid()}
        members |= more


def somebody_is_signed_in() -> bool:
    """Whether a command of an SSH connection runs: a transfer, an installation, a shell.

    Its first process is a child of sshd; what a connection that is over has left behind belongs to process 1.
    """
    processes = {process.pid: process for process in _linux_processes("SSH_CONNECTION=")}
    parents = (processes.get(process.parent) for process in processes.values() if process.has_token)
    return any(parent is not None and parent.pid != 1 and not parent.has_token for parent in parents)


def signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each process that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process handles this signal itself; the system's own answer to most signals is to end it."""
    try:
        status = (_PROC / str(pid) / "status").read_text()
    except OSError:  # gone, or a system that does not tell
        return False
    caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (number - 1) & 1)


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat after the name, from the state on."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def _linux_processes(entry_start: str) -> Iterator[_Process]:
    wanted = f"\0{entry_start}".encode()
    for entry in _PROC.iterdir():
        fields = _stat(int(entry.name)) if entry.name.isdigit() else None
        if fields is None or fields[0] in "ZX":
            continue
        try:
            has_token = wanted in b"\0" + (entry / "environ").read_bytes()
        except OSError:  # gone meanwhile, or another user's
            has_token = False
        yield _Process(int(entry.name), int(fields[1]), int(fields[3]), has_token)


def _darwin_processes(entry: str) -> Iterator[_Process]:
    for line in _output("ps", "-axEww", "-o", "pid=,ppid=,pgid=,state=,command=").splitlines():
        pid, parent, group, state, *words = line.split()
        if not state.startswith("Z"):
            yield _Process(int(pid), int(parent), int(group), entry in words)


def _output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL).stdout
