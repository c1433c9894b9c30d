"""What a process of the training says before it ends: each rank in a file of its own in the attempt's records.

The one that had the trouble is seldom rank 0; what rank 0 sees is that another one has gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import traceback
from pathlib import Path

from templates.training import exit_codes
from templates.training.checkpoints import write_durably
from templates.training.failures import kind_of

_MESSAGE_LENGTH = 500


def end_with(error: Exception, *, phase: str | None, step: int, micro_batch: int) -> int:
    """Print the error, write the report, give the exit code.

    Args:
        error: What ended the training.
        phase: What it was doing.
        step: The last step that was trained.
        micro_batch: Rows that this process had in memory at once; 0 before any.
    """
    traceback.print_exception(error)
    kind = kind_of(error, phase=phase, free_bytes=shutil.disk_usage(os.environ.get("LLAMALIFT_RUN_DIR", ".")).free)
    report = {
        "t": time.time(),
        "rank": int(os.environ.get("RANK", "0")),
        "kind": kind,
        "text": f"{type(error).__name__}: {error}"[:_MESSAGE_LENGTH],
        "phase": phase,
        "step": step,
        # Weights and optimizer alone do not fit when it ends before the first row.
        "smaller_helps": micro_batch > 1 and phase != "loading",
    }
    if folder := os.environ.get("LLAMALIFT_ATTEMPT_DIR"):
        # On a full disk the exit code must do.
        with contextlib.suppress(OSError):
            write_durably(Path(folder) / f"rank-{report['rank']}.json", json.dumps(report))
    return exit_codes.BY_KIND.get(kind, exit_codes.CRASH)
