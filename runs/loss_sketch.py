"""How far a training is and how its loss went, from a few places of its `metrics.jsonl`: cheap however long it is."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

# A step's line has some 300 bytes; notes and plans between them may be longer.
_PIECE_BYTES = 4096
_END_BYTES = 16 * 1024
_WHOLE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class LossSketch:
    """What a glance at the metrics tells.

    Attributes:
        step: The newest step, or None.
        total_steps: How many there are, or None.
        losses: (step, loss) at about evenly spaced places, steps rising, the newest among them.
    """

    step: int | None = None
    total_steps: int | None = None
    losses: tuple[tuple[int, float], ...] = ()


def sketch_losses(file: Path, *, places: int = 48) -> LossSketch:
    """Look at about `places` places of the file; a small one is read whole. Without a file, nothing is known."""
    try:
        with file.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            events = _events(stream, size, places)
    except FileNotFoundError:
        return LossSketch()
    steps = [event for event in events if isinstance(event.get("step"), int) and event.get("event") == "step"]
    if not steps:
        return LossSketch()
    total = steps[-1].get("total_steps")
    return LossSketch(steps[-1]["step"], total if isinstance(total, int) else None, _thinned(_curve(steps), places))


def _curve(steps: list[dict[str, Any]]) -> list[tuple[int, float]]:
    points: list[tuple[int, float]] = []
    for event in steps:
        step, loss = event["step"], event.get("loss")
        # After a restart from a checkpoint, what was trained again counts.
        while points and points[-1][0] >= step:
            points.pop()
        if isinstance(loss, int | float):
            points.append((step, float(loss)))
    return points


def _events(stream: BinaryIO, size: int, places: int) -> list[dict[str, Any]]:
    if size <= _WHOLE_BYTES:
        return [event for line in stream.read().split(b"\n") if (event := _event(line))]
    found = []
    for number in range(places):
        stream.seek(number * (size - _END_BYTES) // places)
        # The first and the last line of a piece are cut off somewhere.
        for line in stream.read(_PIECE_BYTES).split(b"\n")[1:-1]:
            event = _event(line)
            if event and event.get("event") == "step":
                found.append(event)
                break
    stream.seek(size - _END_BYTES)
    return found + [event for line in stream.read().split(b"\n")[1:] if (event := _event(line))]


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line, parse_constant=lambda _: None) if line else None
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _thinned(points: list[tuple[int, float]], places: int) -> tuple[tuple[int, float], ...]:
    every = max(1, -(-len(points) // places))
    return tuple(points[::every] if (len(points) - 1) % every == 0 else [*points[::every], points[-1]])
