"""What a process of the training says before it ends: each rank in a file of its own in the attempt's records.

The one that had the trouble is seldom rank 0; what rank 0 sees is that another one has gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from templates.training import exit_codes
from templates.training.checkpoints import write_durably
from templates.training.errors import TrainingError
from templates.training.failures import kind_of

if TYPE_CHECKING:
    from templates.training.heartbeat import Heartbeat
    from templates.training.metrics import Metrics

_LENGTH = 500


def end_with(error: Exception, metrics: Metrics | None, *, heartbeat: Heartbeat | None, micro_batch: int) -> int:
    """Print the error, unless it is one of ours that says all itself; tell it, report it, give the exit code.

    Args:
        error: What ended the training.
        metrics: Told of an error of our own, whose text the user can read; None when it ended before it had any.
        heartbeat: Knows what the training was doing.
        micro_batch: Rows that this process has in memory at once.
    """
    if not isinstance(error, TrainingError) or error.__cause__ is not None:
        traceback.print_exception(error)
    phase, step = (heartbeat.phase, heartbeat.step) if heartbeat else ("loading", 0)
    kind = kind_of(error, phase=phase, free_bytes=shutil.disk_usage(os.environ.get("LLAMALIFT_RUN_DIR", ".")).free)
    rank = int(os.environ.get("RANK", "0"))
    if metrics and isinstance(error, TrainingError) and kind != "communication":
        metrics.problem(kind, str(error))
        if rank:
            # Rank 0 may know nothing of it, and only it writes events.
            print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the log is where the user looks
    report = {
        "t": time.time(),
        "rank": rank,
        "kind": kind,
        "text": (str(error) if isinstance(error, TrainingError) else f"{type(error).__name__}: {error}")[:_LENGTH],
        "phase": phase,
        "step": step,
        # Weights and optimizer alone do not fit when it ends before the first row.
        "smaller_helps": micro_batch > 1 and phase != "loading",
    }
    if folder := os.environ.get("LLAMALIFT_ATTEMPT_DIR"):
        # On a full disk the exit code must do.
        with contextlib.suppress(OSError):
            write_durably(Path(folder) / f"rank-{rank}.json", json.dumps(report))
    return exit_codes.BY_KIND.get(kind, exit_codes.CRASH)
