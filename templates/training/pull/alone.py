"""One process fetches into a folder at a time; one whose client is gone gives way."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from templates.training.pull.errors import PullError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROGRAM = b"templates.training.pull"
_PATIENCE_SECONDS = 30.0
_LOOK_SECONDS = 0.1


@contextmanager
def alone(stage: Path) -> Iterator[None]:
    """Hold a stage. What an earlier connection has left running there is ended: a silent line does not tell it.

    Raises:
        PullError: Something else holds it, or a link is in its place.
    """
    if stage.is_symlink():
        raise PullError("hostile", f"a symbolic link is in the way: {stage}")
    stage.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (stage / "lock").open("a+") as lock:
        _take(lock.fileno(), stage)
        os.ftruncate(lock.fileno(), 0)
        os.pwrite(lock.fileno(), str(os.getpid()).encode(), 0)
        yield


def _take(lock: int, stage: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise PullError("busy", f"another command fetches into the same folder: {stage.parent}") from None
            _end_holder(os.pread(lock, 32, 0))
            time.sleep(_LOOK_SECONDS)
        else:
            return


def _end_holder(told: bytes) -> None:
    with suppress(ValueError, OSError):
        pid = int(told)
        if pid != os.getpid() and _PROGRAM in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGTERM)
