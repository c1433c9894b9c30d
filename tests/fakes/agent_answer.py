"""What the agent on a machine answers to `status`."""

from __future__ import annotations

import base64
from typing import Any


def agent_answer(**changes: object) -> dict[str, Any]:
    """An answer with every part that there is, and whatever is to be otherwise."""
    return {
        "schema": 1,
        "now": 1000,
        "phase": "running",
        "agent": {"pid": 10, "started_at": 900.0, "alive": True},
        "step": {"name": "train", "attempt": 1, "pid": 11, "started_at": 901.0},
        "finished_steps": [{"name": "x", "seconds": 1.5, "attempts": 1}],
        "progress": {
            "phase": "training", "step": 4, "total_steps": 30, "loss": 2, "learning_rate": 2e-5, "grad_norm": None,
            "epoch": 0.5, "tokens_per_second": 1000.0, "eta_seconds": 12.0,
        },
        "checkpoints": {
            "newest_complete": {"step": 4, "path": "/w/checkpoint-4", "bytes": 10},
            "complete_steps": [2, 4], "last_save_seconds": 0.5,
        },
        "disk": {"total_bytes": 100, "free_bytes": 50},
        "gpus": [
            {
                "index": 0, "name": "A100", "utilization_percent": 97.0, "memory_used_bytes": 1,
                "memory_total_bytes": 2, "power_watts": None,
            }
        ],
        "limits": {
            "deadline_at": 2000, "idle_seconds": 60, "lost_client_seconds": 60, "dollars_cap": 5.0,
            "dollars_so_far": 0.1, "fired": None,
        },
        "final": None,
        "problem": None,
        "notes": ["note"],
        "losses": [[1, 3.0], [2, 2]],
        "log": {"from": 5, "to": 8, "size": 9, "data": base64.b64encode(b"abc").decode()},
        **changes,
    }  # fmt: skip
