"""The recipe's literal way: train to the end again and again, from the newest checkpoint, with ever smaller save_steps.

Its trainers saved at multiples of save_steps and nothing at the last step, so a run of 1,290 steps with save_steps 800
left a checkpoint of step 800, and the next launch, with 400, one of step 1,200; until some save_steps, 1 at the latest,
held the last step. `checkpoints.relaunch: true` does the same. Pure, standard library only, shared by planner and
trainer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from templates.training.save_clock import SaveClock
from templates.training.save_schedule import ladder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from templates.training.save_schedule import ShrinkSchedule


class NothingToGainError(Exception):
    """This launch would train to the end and leave no checkpoint that is newer than the one it starts from."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One launch, from a checkpoint (or from nothing) to the last step.

    Attributes:
        save_steps: Steps between two saves.
        start_step: Step of the checkpoint that it goes on from; 0 without one.
        steps: The steps after which it saves.
        lost_steps: Steps after its last save: the next launch trains them again.
    """

    save_steps: int
    start_step: int
    steps: tuple[int, ...]
    lost_steps: int


def saved_steps(save_steps: int, total_steps: int, start_step: int) -> tuple[int, ...]:
    """Give the steps that a launch from the checkpoint of `start_step` saves: the multiples of `save_steps`."""
    return tuple(range((start_step // save_steps + 1) * save_steps, total_steps + 1, save_steps))


def launches(schedule: ShrinkSchedule, total_steps: int, *, skip: bool = True) -> tuple[Launch, ...]:
    """Give the launches of a run in which nothing goes wrong.

    Args:
        schedule: Its ladder is the row of save_steps; it must end with 1.
        total_steps: Steps of the whole run.
        skip: Leave out a launch that would leave no newer checkpoint. The recipe, done by hand, runs those, too.
    """
    found: list[Launch] = []
    start = 0
    for save_steps in ladder(schedule):
        steps = saved_steps(save_steps, total_steps, start)
        newest = steps[-1] if steps else start
        if steps or not skip:
            found.append(Launch(save_steps, start, steps, total_steps - newest))
        start = newest
        if start == total_steps:
            break
    return tuple(found)


def recomputed_steps(made: Sequence[Launch]) -> int:
    """Give how many steps are trained more than once, counted once for each time too many."""
    return sum(launch.lost_steps for launch in made)


class RelaunchClock(SaveClock):
    """Measures as the SaveClock does, and saves at the multiples of `schedule.first_interval`, as the recipe did."""

    __slots__ = ()

    def is_due(self, step: int) -> bool:
        """Say whether the state after `step` is to be saved."""
        return step % self.schedule.first_interval == 0

    def planned_steps(self, start_step: int) -> tuple[int, ...]:
        """Give every step that will be saved.

        Raises:
            NothingToGainError: There is none, and steps are left.
        """
        steps = saved_steps(self.schedule.first_interval, self.total_steps, start_step)
        if not steps and start_step < self.total_steps:
            raise NothingToGainError
        return steps
