"""The trainer's side of saving at two speeds: written to scratch, drained by a process of its own. First rank only.

The trainer waits for scratch alone. A save counts once it is durable, so the next one waits (the training does not)
until the drain is done: saving faster than the drain would make checkpoints that are never copied. What the wait costs
is the work since the last save, should this trainer crash; it is never more than a drain takes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from templates.training import drain_state, scratch
from templates.training.background import Background

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LOOK_SECONDS = 0.2
# A drain that has not begun or does not move holds nothing up: a save on scratch is better than none.
_PATIENCE_SECONDS = 60.0


class TwoSpeed:
    """Scratch, the durable disk, and the drain between them."""

    def __init__(self, source: Path, target: Path, keep: int, now: Callable[[], float] = time.monotonic) -> None:
        """Drain `source` to `target`, where `keep` complete checkpoints stay."""
        self._source = source
        self._target = target
        self._now = now
        self._saved_at = 0.0
        words = ["--scratch", str(source), "--checkpoints", str(target), "--keep", str(keep)]
        self._drain = Background("templates.training.drain", words, now)

    def start(self) -> None:
        """Start the drain: what a former trainer left on scratch becomes durable at once."""
        self._drain.ensure()

    def saved(self) -> None:
        """A checkpoint is complete on scratch."""
        self._saved_at = self._now()
        self._drain.ensure()

    def holds_saves(self) -> bool:
        """Whether the last save is still on its way, so that another one would only be dropped."""
        if self._is_settled():
            return False
        self._drain.ensure()
        moves = drain_state.read_progress(self._target.parent) is not None
        return moves or self._now() - self._saved_at < _PATIENCE_SECONDS

    def wait(self) -> str | None:
        """Wait until the newest checkpoint on scratch is durable; None, or why it cannot be."""
        while not self._is_settled():
            self._drain.ensure()
            time.sleep(_LOOK_SECONDS)
        trouble = drain_state.read_trouble(self._target.parent)
        return trouble.text if trouble is not None and trouble.step >= scratch.newest_step(self._source) else None

    def stop(self) -> None:
        """End the drain."""
        self._drain.stop()

    def _is_settled(self) -> bool:
        """The newest one on scratch is durable, or it is known why not."""
        step = scratch.newest_step(self._source)
        trouble = drain_state.read_trouble(self._target.parent)
        return scratch.newest_step(self._target) >= step or (trouble is not None and trouble.step >= step)
