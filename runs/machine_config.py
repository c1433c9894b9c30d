"""What the cloud and the agent are told about a run: its tags and its limits. Pure functions."""

from __future__ import annotations

import getpass
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runs.facts import Decided
    from runs.spec.run_file import RunFile
    from runs.types import RunRow


def tags(row: RunRow, spec: RunFile, decided: Decided) -> Mapping[str, str]:
    """The tags by which any other computer finds the run, beside the user's own."""
    return {
        **spec.tags,
        "llamalift-run": row.run_id,
        "llamalift-owner": getpass.getuser(),
        "llamalift-expires": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(decided.deadline_at)),
        "llamalift-spec-sha256": row.spec_sha256,
    }


def agent_config(row: RunRow, spec: RunFile, decided: Decided) -> dict[str, Any]:
    """`run.json`: what the agent must know from the machine's first second (templates/agent)."""
    return {
        "schema": 1,
        "run_id": row.run_id,
        "username": spec.machine.admin_username,
        "workspace": spec.storage.mount,
        "data_disk_lun": 0,
        "deadline_at": decided.deadline_at,
        "dollars_per_hour": decided.dollars_per_hour,
        "dollars_cap": decided.dollars_cap,
        "idle_seconds": spec.limits.idle_minutes * 60,
        "lost_client_seconds": spec.limits.lost_client_hours * 3600,
        "machine_started_at": None,
        "created_at": row.created_at,
    }
