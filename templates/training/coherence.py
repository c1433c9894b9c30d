"""What no digest can see: files that are each whole, but not of one checkpoint. Standard library only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def incoherences(step: int, folder: Path, facts: Mapping[str, Any]) -> Iterator[str]:
    """Say what does not belong together in a checkpoint's folder.

    Args:
        step: The step that the folder's name says.
        folder: The folder, readable.
        facts: What its manifest says, or is going to say.

    Raises:
        OSError: A file cannot be read.
    """
    if facts.get("step") != step:
        yield f"its manifest names another step: {facts.get('step')}"
    try:
        state = json.loads((folder / "trainer_state.json").read_bytes())
    except ValueError as error:
        yield f"trainer_state.json is not JSON: {error}"
        return
    stepped = state.get("global_step") if isinstance(state, dict) else None
    if stepped != step:
        yield f"trainer_state.json names another step: {stepped}"
    if facts.get("zero_stage"):
        yield from _deepspeed(step, folder, facts)


def _deepspeed(step: int, folder: Path, facts: Mapping[str, Any]) -> Iterator[str]:
    latest = (folder / "latest").read_text().strip()
    if latest != f"global_step{step}":
        yield f"latest names another step: {latest}"
    shards = len(list((folder / f"global_step{step}").glob("*_optim_states.pt")))
    if shards != facts.get("world_size"):
        yield f"it should hold the optimizer shards of {facts.get('world_size')} processes, and holds: {shards}"
