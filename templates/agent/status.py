"""The one question that the client asks: how do things stand, and what is new in the log?"""

from __future__ import annotations

import base64
import shutil
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from templates.agent import atomic
from templates.agent.processes import identity
from templates.agent.settings import limits_now, read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from templates.agent.folder import RunFolder

_STALE_SECONDS = 30.0
DEFAULT_LOG_LIMIT_BYTES = 256 << 10


def read_status(
    folder: RunFolder, *, log_from: int, log_limit: int = DEFAULT_LOG_LIMIT_BYTES, metrics_from: int | None = None
) -> dict[str, Any]:
    """The daemon's newest status with the log from byte `log_from` on; leaves a sign that the client was here.

    Args:
        folder: The run.
        log_from: First log byte that the client does not have; negative counts from the end.
        log_limit: Most bytes of the log, and of the metrics, in the answer.
        metrics_from: Likewise for metrics.jsonl; None leaves it out.
    """
    folder.client_seen.touch()
    # The log is read after the status: when that says that the job has ended, `size` is final.
    document = atomic.read_json(folder.status) or _before_the_first(folder)
    agent = document["agent"]
    alive = agent["pid"] is not None and identity(agent["pid"]) == agent.pop("identity")
    document["agent"] = {**agent, "alive": alive}
    now = time.time()
    if alive and now - document["now"] > _STALE_SECONDS:
        late = f"the agent has not written its status for {now - document['now']:.0f} s: is the disk full?"
        document["notes"] = [*document["notes"], late]
    document["now"] = now
    document["log"] = read_log(folder.train_log, log_from, log_limit)
    if metrics_from is not None:
        document["metrics"] = read_log(folder.metrics, metrics_from, log_limit)
    return document


def read_log(path: Path, start: int, limit: int) -> dict[str, Any]:
    """At most `limit` bytes from `start` on; a `start` beyond the end means that it is another log now: from 0."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = max(0, size + start) if start < 0 else start
            start = 0 if start > size else start
            file.seek(start)
            data = file.read(max(0, limit))
    except FileNotFoundError:
        size, start, data = 0, 0, b""
    # It may have grown since its size was asked for.
    size = max(size, start + len(data))
    return {"from": start, "to": start + len(data), "size": size, "data": base64.b64encode(data).decode()}


def _before_the_first(folder: RunFolder) -> dict[str, Any]:
    """The same shape while the daemon has not written its first status."""
    settings = read_settings(folder.settings)
    usage = shutil.disk_usage(folder.root)
    return {
        "schema": 1,
        "now": time.time(),
        "phase": "waiting",
        "agent": {"pid": None, "started_at": None},
        "checkpoints": {"newest_complete": None, "complete_steps": [], "last_save_seconds": None},
        "disk": {"total_bytes": usage.total, "free_bytes": usage.free},
        "limits": {**asdict(limits_now(settings, folder)), "dollars_so_far": 0.0, "fired": None},
        **dict.fromkeys(("step", "progress", "final", "problem", "departure")),
        **{name: [] for name in ("finished_steps", "gpus", "notes", "losses", "departures")},
    }
