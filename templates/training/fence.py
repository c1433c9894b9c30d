"""No two attempts write into one run: a lock on the run folder that every process of an attempt holds.

The launcher takes it alone, which it can only while no process of an earlier attempt lives; it leaves its name in it
and then shares it with its workers. A worker that comes too late, after another launcher has put its name there, sees
that and leaves. The kernel frees the lock with the last process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from pathlib import Path
from typing import IO

from templates.training.errors import BusyError

_NAME = "attempt.lock"
_FENCE_VARIABLE = "LLAMALIFT_FENCE"
_RUN_VARIABLE = "LLAMALIFT_RUN_DIR"
_LOOK_SECONDS = 0.1


def take(patience_seconds: float) -> IO[str] | None:
    """Take the run for this launcher and the workers that inherit its environment; None when it says no run folder.

    The lock is held as long as the result is open.

    Raises:
        BusyError: Processes of an earlier attempt still live after `patience_seconds`.
    """
    if _RUN_VARIABLE not in os.environ:
        return None
    lock = _open("a")
    deadline = time.monotonic() + patience_seconds
    while not _locked_alone(lock):
        if time.monotonic() >= deadline:
            raise BusyError(f"processes of an earlier attempt still live, which hold: {lock.name}")
        time.sleep(_LOOK_SECONDS)
    name = uuid.uuid4().hex
    lock.truncate(0)
    lock.write(name)
    lock.flush()
    os.environ[_FENCE_VARIABLE] = name
    fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def join() -> IO[str] | None:
    """Share the launcher's lock; None when it has none.

    Raises:
        BusyError: Another launcher has the run by now.
    """
    name = os.environ.get(_FENCE_VARIABLE)
    if name is None:
        return None
    lock = _open("r")
    fcntl.flock(lock, fcntl.LOCK_SH)
    if lock.read() != name:
        raise BusyError(f"another attempt has begun, which holds: {lock.name}")
    return lock


def _open(mode: str) -> IO[str]:
    return (Path(os.environ[_RUN_VARIABLE]) / _NAME).open(mode, encoding="ascii")


def _locked_alone(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
