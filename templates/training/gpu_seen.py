"""The GPUs of this machine as the agent last saw them: it asks nvidia-smi every few seconds, nobody else needs to."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

# The agent writes its status every second and asks the driver every five.
_STALE_SECONDS = 60.0


def gpus_seen(run_folder: Path) -> dict[str, float]:
    """The fullest GPU's memory, the mean use and the power of all of them together; empty without GPUs or agent."""
    try:
        status = json.loads((run_folder / "status.json").read_text())
        gpus: list[dict[str, Any]] = status["gpus"] if abs(time.time() - status["now"]) < _STALE_SECONDS else []
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    memory, use, power = (
        [gpu[name] for gpu in gpus if gpu.get(name) is not None]
        for name in ("memory_used_bytes", "utilization_percent", "power_watts")
    )
    seen = {
        "gpu_memory_bytes": max(memory, default=None),
        "gpu_utilization_percent": sum(use) / len(use) if use else None,
        "gpu_power_watts": sum(power) if power else None,
    }
    return {name: round(float(value), 1) for name, value in seen.items() if value is not None}
