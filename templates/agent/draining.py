"""What is on its way from scratch to the durable disk, as the drain tells it (templates/training/drain_state.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from templates.agent import atomic

if TYPE_CHECKING:
    from templates.agent.folder import RunFolder

# A drain tells several times a second; one that has been silent for longer was cut off.
_SILENT_SECONDS = 15.0


def on_its_way(folder: RunFolder, now: float) -> dict[str, Any] | None:
    """`{"step", "bytes", "done_bytes"}` of the checkpoint that is being drained, or None."""
    try:
        told = atomic.read_json(folder.root / "drain.json")
        if told is None or told["done_bytes"] >= told["bytes"] or now - told["updated_at"] >= _SILENT_SECONDS:
            return None
        return {name: int(told[name]) for name in ("step", "bytes", "done_bytes")}
    except (KeyError, TypeError, ValueError):
        return None
