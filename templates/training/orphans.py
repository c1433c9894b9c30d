"""A worker must not train on when its launcher is gone, nor wait for peers that will never answer.

torchrun starts every worker in a session of its own, so that ending the launcher's process group spares them: they
would hold the GPUs and write checkpoints into a run that somebody else goes on with. And a worker whose peer has died
may wait for it inside NCCL, where no handler of Python's is ever called.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path

LAUNCHER_VARIABLE = "LLAMALIFT_LAUNCHER_PID"
LEAVE_VARIABLE = "LLAMALIFT_LEAVE_FLAG"
_LOOK_SECONDS = 0.5
# A worker that notices by itself that a peer has gone tells so, and lets a tracker send its last lines.
_LAST_WORDS_SECONDS = 15.0
_PR_SET_PDEATHSIG = 1
_BY_SIGNAL = 128


def die_with_parent(parent: int | None = None) -> None:
    """Kill this process soon after its parent has gone (`parent`, or the one that it has now)."""
    parent = os.getppid() if parent is None else parent
    _end_without(parent)
    threading.Thread(target=_watch, args=(parent,), name="die-with-parent", daemon=True).start()


def die_with_launcher() -> None:
    """For a worker: kill it when its launcher has gone, at once where the kernel can do that, soon after elsewhere.

    The kernel's signal comes when the *thread* has gone that started the process: torchrun's is its main one.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have gone before that; and only Linux has the death signal.
    launcher = os.environ.get(LAUNCHER_VARIABLE)
    die_with_parent(None if launcher is None else int(launcher))


def leave_with_peers() -> None:
    """End this process soon after torchrun sends SIGTERM because another worker has failed.

    When somebody has asked the launcher to leave, its SIGTERM means to save first: it says so by a file.
    """
    flag = os.environ.get(LEAVE_VARIABLE)
    if flag is None:
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    # The C half of Python's signal handling writes there, also while the interpreter waits inside a library.
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(reading, Path(flag)), name="leave-with-peers", daemon=True).start()


def _watch(parent: int) -> None:
    while True:
        _end_without(parent)
        time.sleep(_LOOK_SECONDS)


def _end_without(parent: int) -> None:
    # Every Unix gives an orphan another parent.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _listen(reading: int, flag: Path) -> None:
    while numbers := os.read(reading, 64):
        if signal.SIGTERM in numbers:
            time.sleep(_LAST_WORDS_SECONDS)
            if not flag.exists():
                os._exit(_BY_SIGNAL + signal.SIGTERM)
