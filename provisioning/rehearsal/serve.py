"""The emulator's own process: `python -m provisioning.rehearsal.serve --state DIR`."""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
from pathlib import Path
from typing import IO

from provisioning.rehearsal import files
from provisioning.rehearsal.emulator import Emulator

ENVIRONMENT_CACHE_VARIABLE = "LLAMALIFT_ENVIRONMENT_CACHE"
"""Folder for the training environments of local machines, to share them among state folders."""

_IDLE_SECONDS = 600.0
_ALREADY_RUNNING = 3


def main() -> int:
    """Serve one state folder until SIGTERM, or until the cloud is empty and idle."""
    parser = argparse.ArgumentParser(description="A loopback Azure Resource Manager with local machines.")
    parser.add_argument("--state", type=Path, required=True, help="folder that holds everything of this cloud")
    parser.add_argument("--idle-seconds", type=float, default=_IDLE_SECONDS, help="leave when empty for so long")
    arguments = parser.parse_args()
    state: Path = arguments.state.absolute()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = _take(state / files.LOCK)
    if lock is None:
        return _ALREADY_RUNNING
    cache = Path(os.environ.get(ENVIRONMENT_CACHE_VARIABLE) or state / "environment")
    emulator = Emulator(state, cache.absolute())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: emulator.leave())
    try:
        emulator.run(arguments.idle_seconds)
    finally:
        emulator.close()
    return 0


def _take(file: Path) -> IO[str] | None:
    lock = file.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


if __name__ == "__main__":
    raise SystemExit(main())
