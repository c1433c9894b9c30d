"""Runs whose machines are lost at random, played through save by save with the product's own schedule. No machine."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from templates.training.relaunch import saved_steps
from templates.training.save_schedule import ladder, next_save_step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from templates.training.save_schedule import ShrinkSchedule


@dataclass(frozen=True, slots=True)
class World:
    """What things take, in seconds.

    Attributes:
        total_steps: Steps of the whole run.
        step: One step.
        save: One save, for which the trainer waits.
        drain: What a save takes afterwards until it outlives the machine; 0 where it is written to the durable disk.
        restart: From a loss to the next step: another machine, and reading the checkpoint.
        relaunch: Starting the trainer once more on the same machine, and reading the checkpoint.
        between_losses: Mean time between two losses; None for never.
    """

    total_steps: int
    step: float
    save: float
    drain: float
    restart: float
    relaunch: float
    between_losses: float | None


@dataclass(slots=True)
class Taken:
    """What one run took.

    Attributes:
        seconds: From its first step to its end.
        trained: Steps, each time counted.
        saves: Complete saves.
        losses: How often its machine was lost.
    """

    seconds: float = 0.0
    trained: int = 0
    saves: int = 0
    losses: int = 0


@dataclass(slots=True)
class Disk:
    """Which saves outlive the machine, and since when. One drain at a time; it takes the newest that waits."""

    drain: float
    durable: int = 0
    _busy_until: float = 0.0
    _draining: int = 0
    _waiting: int = 0

    def saved(self, step: int, now: float) -> None:
        """A save of `step` is complete."""
        self.look(now)
        if self.drain == 0:
            self.durable = step
        elif self._draining:
            self._waiting = step
        else:
            self._draining, self._busy_until = step, now + self.drain

    def look(self, now: float) -> None:
        """Let every drain end that has had its time."""
        while self._draining and self._busy_until <= now:
            self.durable, self._draining, self._waiting = self._draining, self._waiting, 0
            if self._draining:
                self._busy_until += self.drain

    def lost(self, now: float) -> int:
        """The machine is lost; give the step to go on from."""
        self.look(now)
        self._draining = self._waiting = 0
        return self.durable


@dataclass(slots=True)
class Shrinking:
    """Our way: one launch, whose interval shrinks, a rung lower after each loss."""

    schedule: ShrinkSchedule
    world: World

    def legs(self, at: int, losses: int) -> Iterator[tuple[int, bool]]:
        """The next steps to train to from a save or a restart at `at`, and whether each is saved."""
        while at < self.world.total_steps:
            at = next_save_step(
                self.schedule,
                last_save=at,
                total_steps=self.world.total_steps,
                step_seconds=self.world.step,
                save_seconds=self.world.save,
                rungs_down=losses,
            )
            yield at, True


@dataclass(slots=True)
class Relaunching:
    """The recipe's way: launch after launch, saving at multiples of save_steps; `skip` leaves out useless launches."""

    schedule: ShrinkSchedule
    world: World
    skip: bool
    _rungs: list[int] = field(default_factory=list)

    def legs(self, at: int, losses: int) -> Iterator[tuple[int, bool]]:
        """As above; a leg that is not saved ends a launch. A loss repeats the launch that it struck."""
        self._rungs = self._rungs if losses else list(ladder(self.schedule))
        while self._rungs:
            total, steps = self.world.total_steps, saved_steps(self._rungs[0], self.world.total_steps, at)
            if steps or not self.skip:
                yield from ((step, True) for step in steps)
                at = steps[-1] if steps else at
                if at < total:
                    yield total, False
            if at == total:
                return
            self._rungs.pop(0)


def play(way: Shrinking | Relaunching, world: World, seed: int) -> Taken:
    """Play one run to its end; the same seed gives the same chances."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    taken, disk = Taken(), Disk(world.drain)
    loss_at = _next_loss(0.0, world, chance)
    at = newest = 0
    legs = way.legs(0, 0)
    while newest < world.total_steps:
        target, is_saved = next(legs)
        end = taken.seconds + (target - at) * world.step + (world.save if is_saved else world.relaunch)
        if loss_at < end:
            # During a relaunch nothing is trained; during a save everything up to it was.
            taken.trained += min(target - at, max(0, int((loss_at - taken.seconds) / world.step)))
            at = newest = disk.lost(loss_at)
            taken.losses += 1
            taken.seconds = loss_at + world.restart
            loss_at = _next_loss(taken.seconds, world, chance)
            legs = way.legs(at, taken.losses)
            continue
        taken.trained += target - at
        taken.seconds, at = end, target
        if is_saved:
            newest = target
            taken.saves += 1
            disk.saved(target, end)
        else:
            at = newest
    return taken


def _next_loss(now: float, world: World, chance: random.Random) -> float:
    return math.inf if world.between_losses is None else now + chance.expovariate(1 / world.between_losses)
