"""A worker must not train on when its launcher is gone.

torchrun starts every worker in a session of its own, so that ending the launcher's process group spares them: they
would hold the GPUs and write checkpoints into a run that somebody else goes on with.
"""

from __future__ import annotations

import os
import signal
import threading
import time

_LOOK_SECONDS = 0.5


def die_with_parent() -> None:
    """Kill this process soon after its parent has gone."""
    threading.Thread(target=_watch, args=(os.getppid(),), name="die-with-parent", daemon=True).start()


def _watch(parent: int) -> None:
    # Every Unix gives an orphan another parent; prctl's death signal is Linux's alone.
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
