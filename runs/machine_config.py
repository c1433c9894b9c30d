"""What the cloud and the agent are told about a run: its tags and its limits. Pure functions."""

from __future__ import annotations

import getpass
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from provisioning.types import ResourceKind
from runs.adoption.decision_tags import decision_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runs.facts import Decided
    from runs.spec.run_file import RunFile
    from runs.types import EffectRow, RunRow

_DAY_SECONDS = 24 * 3600.0
# As long as the machine's own dead-man switch (templates/agent/boot.py) lets the agent save its last checkpoint.
_BACKSTOP_AFTER_SECONDS = 3600.0
# The schedule is daily and made some minutes from now: a time of day that has just been would come at once.
_BACKSTOP_MARGIN_SECONDS = 600.0
_WITHOUT = {
    ResourceKind.ROLE_ASSIGNMENT: "this account may not let the machine deallocate itself (that takes Owner or User "
    "Access Administrator): at a limit it powers off, and Azure goes on billing it until it is deallocated or deleted",
    ResourceKind.SHUTDOWN_SCHEDULE: "Azure's own auto-shutdown could not be set: only the machine's own limits end it",
}


def tags(row: RunRow, spec: RunFile, decided: Decided) -> Mapping[str, str]:
    """The tags by which any other computer finds the run, beside the user's own."""
    return {
        **spec.tags,
        "llamalift-run": row.run_id,
        "llamalift-owner": _owner(),
        "llamalift-expires": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(decided.deadline_at)),
        "llamalift-spec-sha256": row.spec_sha256,
        **decision_tags(row, decided),
    }


def agent_config(row: RunRow, spec: RunFile, decided: Decided, *, now: float) -> dict[str, Any]:
    """`run.json`: what the agent must know from the machine's first second (templates/agent).

    Args:
        row: The run; it may be days older than its machine.
        spec: What the run file asks for.
        decided: What was chosen.
        now: When the machine is asked for, in seconds since the epoch; its bill begins then.
    """
    return {
        "schema": 1,
        "run_id": row.run_id,
        "username": spec.machine.admin_username,
        "workspace": spec.storage.mount,
        "data_disk_lun": 0,
        "deadline_at": decided.deadline_at,
        # On the rehearsal cloud, too: its dollars are what Azure would have taken, and a cap can be rehearsed.
        # Each of several machines holds the cap of all: they are rented and ended together.
        "dollars_per_hour": (
            decided.machine_dollars_per_hour + decided.disk_dollars_per_hour + decided.address_dollars_per_hour
        )
        * spec.machine.nodes,
        "dollars_cap": decided.dollars_cap,
        "idle_seconds": spec.limits.idle_minutes * 60,
        "lost_client_seconds": spec.limits.lost_client_hours * 3600,
        "discard_after_seconds": spec.limits.discard_after_days * _DAY_SECONDS,
        "machine_started_at": now,
        "created_at": row.created_at,
        "run_file": row.run_file,
    }


def backstop(deadline_at: float, now: float) -> datetime | None:
    """When Azure's own schedule should deallocate the machine, in UTC.

    It is daily, so only a deadline within the next 24 h can have one. It comes after the deadline, so that the agent
    can save and end compute itself, but never 24 h or more from now, which would be today.

    Args:
        deadline_at: The agent's deadline, in seconds since the epoch.
        now: The time, in seconds since the epoch.
    """
    at = min(deadline_at + _BACKSTOP_AFTER_SECONDS, now + _DAY_SECONDS - _BACKSTOP_MARGIN_SECONDS)
    if deadline_at > now + _DAY_SECONDS or at <= now:
        return None
    return datetime.fromtimestamp(at, UTC)


def without_extras(effects: Iterable[EffectRow]) -> list[str]:
    """What the user must know of the kill switches that were asked for and that the cloud did not give."""
    missing = [ResourceKind(effect.kind) for effect in effects if effect.created_at is None and effect.gone_at is None]
    return [_WITHOUT[kind] for kind in missing if kind in _WITHOUT]


def _owner() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run as a user that nothing knows.
        return f"uid {os.getuid()}"
