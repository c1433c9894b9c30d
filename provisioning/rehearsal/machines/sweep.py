"""Ends every process of a machine that has no process space of its own.

Each of them carries a marker in its environment, however far it detached itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKER_VARIABLE = "LLAMALIFT_MACHINE"
_DEADLINE_SECONDS = 10.0
_MEMORY = Path("/dev/shm")  # noqa: S108 (only what is the machine's own is touched)


def marker_of(folder: Path) -> str:
    """The environment entry `NAME=value` of the machine in `folder`.

    It is the same at every boot, so that a later one can end what an earlier one left when its own process was killed
    together with the emulator.
    """
    return f"{MARKER_VARIABLE}={hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:32]}"


def end_all(marker: str) -> None:
    """Kill every process whose environment has the entry `marker`, again until none is left.

    Raises:
        TimeoutError: Some of them cannot be killed.
    """
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while pids := list(_marked(marker)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes of a machine do not end: {pids}")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def empty_memory(workspace: Path) -> None:
    """Remove what the machine's runs keep in memory (their secrets), as switching off a real machine does."""
    for memory in _MEMORY.glob("llamalift-*"):
        if (workspace / "llamalift" / memory.name.removeprefix("llamalift-")).is_dir():
            shutil.rmtree(memory, ignore_errors=True)


def _marked(marker: str) -> Iterator[int]:
    own = {os.getpid()}
    found = _marked_in_proc(marker) if sys.platform == "linux" else _marked_by_ps(marker)
    return (pid for pid in found if pid not in own)


def _marked_in_proc(marker: str) -> Iterator[int]:
    entry = marker.encode()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        # A zombie's environment is empty, and somebody else's may not be read.
        with contextlib.suppress(OSError):
            if entry in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)


def _marked_by_ps(marker: str) -> Iterator[int]:
    """Other systems print the environment after the command."""
    listing = subprocess.run(
        ["ps", "-A", "-E", "-ww", "-o", "pid=,command="], capture_output=True, check=True, text=True, errors="replace"
    )
    for line in listing.stdout.splitlines():
        if marker in line.split():
            yield int(line.split()[0])
