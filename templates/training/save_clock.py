"""How long steps and saves take, measured; and whether it is time to save."""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from templates.training.save_schedule import ShrinkSchedule, save_steps, should_save

if TYPE_CHECKING:
    from collections.abc import Callable

_STEPS_REMEMBERED = 32
_SAVES_REMEMBERED = 4


@dataclass(slots=True)
class SaveClock:
    """Rank 0's memory of times, which decides for all ranks.

    Attributes:
        schedule: When to save.
        total_steps: Steps of the whole run.
        rungs_down: Crashes and evictions so far.
        last_save: Step of the last save, or of the last one that was refused.
        now: A monotonic clock in seconds.
        known_step_seconds: What an earlier attempt measured; 0 when nothing.
        known_save_seconds: Likewise for a save; goes before what the planner expected.
        is_held: Whether a save would come too soon because the one before is not durable yet; the last step's and one
            that somebody asks for are made all the same.
    """

    schedule: ShrinkSchedule
    total_steps: int
    rungs_down: int
    last_save: int
    now: Callable[[], float]
    known_step_seconds: float = 0.0
    known_save_seconds: float = 0.0
    is_held: Callable[[], bool] = lambda: False
    _steps: deque[float] = field(default_factory=lambda: deque(maxlen=_STEPS_REMEMBERED))
    _saves: deque[float] = field(default_factory=lambda: deque(maxlen=_SAVES_REMEMBERED))
    _mark: float | None = None

    @property
    def step_seconds(self) -> float:
        """Seconds of a usual step (the median: first steps compile and warm up), 0 before any."""
        return statistics.median(self._steps) if self._steps else self.known_step_seconds

    @property
    def save_seconds(self) -> float:
        """Seconds of a save: the mean of the last ones; before any, what was known or expected, 0 for neither."""
        if self._saves:
            return statistics.fmean(self._saves)
        return self.known_save_seconds or self.schedule.expected_save_seconds

    def start(self) -> None:
        """Start measuring: the next step begins now."""
        self._mark = self.now()

    def step_done(self) -> None:
        """A step ended now; the next begins."""
        now = self.now()
        if self._mark is not None:
            self._steps.append(now - self._mark)
        self._mark = now

    def is_due(self, step: int) -> bool:
        """Say whether the state after `step` is to be saved."""
        due = should_save(
            self.schedule,
            step=step,
            last_save=self.last_save,
            total_steps=self.total_steps,
            step_seconds=self.step_seconds,
            save_seconds=self.save_seconds,
            rungs_down=self.rungs_down,
        )
        return due and (step >= self.total_steps or not self.is_held())

    def planned_steps(self, start_step: int) -> tuple[int, ...]:
        """Give every step that will be saved if steps and saves go on to take what they took."""
        return save_steps(
            self.schedule,
            self.total_steps,
            self.step_seconds,
            self.save_seconds,
            rungs_down=self.rungs_down,
            first_step=start_step,
        )

    def refused(self, step: int) -> None:
        """A save could not be made: ask again at the next rung, not at every step."""
        self.last_save = step

    def saved(self, step: int, seconds: float) -> None:
        """A save of `step` took `seconds`; what follows is the next step's time."""
        self.last_save = step
        self._saves.append(seconds)
        self._mark = self.now()
