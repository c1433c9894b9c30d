"""When a run will save, what that takes, what a loss costs at worst, and which bound decides. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from runs.plan.verdict import offer_of
from templates.training.relaunch import Launch, launches, recomputed_steps
from templates.training.save_schedule import ShrinkSchedule, eviction_interval, save_steps, share_interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.survey_types import Survey
    from provisioning.types import Placement
    from runs.spec.run_file import RunFile


class Decider(StrEnum):
    """What the distances between saves come from."""

    LADDER = "ladder"
    SHARE = "share"
    EVICTIONS = "evictions"
    RELAUNCH = "relaunch"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class SaveCosts:
    """What steps and saves take on one machine.

    Attributes:
        step_seconds: One optimizer step.
        save_seconds: One save at the disk's speed.
        save_bytes: One checkpoint.
        restart_seconds: Starting the trainer again from a checkpoint.
        drain_seconds: From the end of a save on scratch until it is durable; 0 where saves go straight to the disk.
    """

    step_seconds: float
    save_seconds: float
    save_bytes: int
    restart_seconds: float
    drain_seconds: float = 0.0

    @property
    def least_apart(self) -> int:
        """Steps between two saves that a drain takes, at least 1."""
        return max(1, math.ceil(self.drain_seconds / self.step_seconds)) if self.step_seconds > 0 else 1


@dataclass(frozen=True, slots=True)
class Relaunching:
    """What the recipe's literal way takes.

    Attributes:
        launches: Each start of the trainer.
        recomputed_steps: Steps that are trained more than once, counted once for each time too many.
        extra_seconds: What it takes longer than the same run with one launch and a shrinking interval.
    """

    launches: tuple[Launch, ...]
    recomputed_steps: int
    extra_seconds: float


@dataclass(frozen=True, slots=True)
class SavePlan:
    """When the run saves, as far as times can be known before.

    Attributes:
        steps: The steps after which it saves, in the order in which that happens.
        save_seconds: One save at the disk's speed.
        at_risk_seconds: Most training that a crash can lose: the longest time between two saves.
        share: Share of the time that saving takes.
        save_bytes: One checkpoint.
        step_seconds: One optimizer step.
        at_risk_until: The step whose save ends the longest time between two; the first of several.
        max_share: Largest share of the time that saving may take.
        share_interval: Least steps between two saves within that share.
        evictions_per_hour: How often the machine is lost; 0 for never, None when not known.
        eviction_interval: Most steps between two saves that lose least at that rate; None without it.
        decides: Which bound the distances come from.
        relaunching: The recipe's literal way; None when the run file does not ask for it.
        drain_seconds: From the end of a save on scratch until it is durable; 0 where saves go straight to the disk.
    """

    steps: tuple[int, ...]
    save_seconds: float
    at_risk_seconds: float
    share: float
    save_bytes: int
    step_seconds: float
    at_risk_until: int
    max_share: float
    share_interval: int
    evictions_per_hour: float | None
    eviction_interval: int | None
    decides: Decider
    relaunching: Relaunching | None = None
    drain_seconds: float = 0.0

    @property
    def total_bytes(self) -> int:
        """Bytes of all saves."""
        return len(self.steps) * self.save_bytes

    @property
    def total_seconds(self) -> float:
        """Seconds of all saves."""
        return len(self.steps) * self.save_seconds

    @property
    def worst_loss_seconds(self) -> float:
        """Most work that a loss can take at any moment: right before the save after the longest time is durable."""
        return self.at_risk_seconds + self.save_seconds + self.drain_seconds

    @property
    def risks(self) -> tuple[tuple[int, int, float], ...]:
        """For each stretch between saves its first and last step, and the seconds of work at risk at its end."""
        return tuple(
            (before, after, (after - before) * self.step_seconds + self.save_seconds + self.drain_seconds)
            for before, after in _stretches(self.steps)
        )


def rate_from_band(band: str) -> float | None:
    """Evictions an hour of a band of per cent an hour, at worst: `5-10` is 0.1; of `20+` only 0.2 is known.

    Taken as a rate, the share of machines that are lost within an hour is a little low (by 5 % at 0.1, since
    `-log(1 - 0.1)` is 0.105); a band's upper end makes more than up for it.
    """
    return float(band.rstrip("+").split("-")[-1]) / 100 if band else None


def evictions_per_hour(spec: RunFile, placement: Placement, survey: Survey | None) -> float | None:
    """How often a machine there is lost: as the run file says (0: never), else by the cloud's band for spot.

    None where neither tells, and for a relaunched recipe, which heeds no rate.
    """
    told = spec.checkpoints.evictions_per_hour
    if told != "auto":
        return told
    if spec.checkpoints.relaunch or not placement.spot or survey is None:
        return None
    offer = offer_of(survey, placement.size, placement.region)
    return None if offer is None else rate_from_band(offer.eviction_band)


@lru_cache(maxsize=64)
def plan_saves(
    schedule: ShrinkSchedule, total_steps: int, costs: SaveCosts, rate: float | None, *, relaunch: bool
) -> SavePlan:
    """Plan the saves of a run.

    Args:
        schedule: When to save, the eviction bound in it.
        total_steps: Steps of the whole run.
        costs: What steps and saves take.
        rate: Evictions an hour; None when not known.
        relaunch: Whether the recipe's literal way is asked for.
    """
    shrinking = _shrinking(schedule, total_steps, costs, rate)
    return _relaunched(shrinking, launches(schedule, total_steps), total_steps, costs) if relaunch else shrinking


def _shrinking(schedule: ShrinkSchedule, total_steps: int, costs: SaveCosts, rate: float | None) -> SavePlan:
    one_step, one_save = costs.step_seconds, costs.save_seconds
    steps = save_steps(schedule, total_steps, one_step, one_save, least_apart=costs.least_apart)
    before, until = _widest(steps)
    saving = len(steps) * one_save
    return SavePlan(
        steps=steps,
        save_seconds=one_save,
        at_risk_seconds=(until - before) * one_step,
        share=saving / (total_steps * one_step + saving),
        save_bytes=costs.save_bytes,
        step_seconds=one_step,
        at_risk_until=until,
        max_share=schedule.max_share,
        share_interval=share_interval(schedule, one_step, one_save),
        evictions_per_hour=rate,
        eviction_interval=eviction_interval(schedule, one_step, one_save),
        decides=_decider(schedule, total_steps, costs, steps),
        drain_seconds=costs.drain_seconds,
    )


def _decider(schedule: ShrinkSchedule, total_steps: int, costs: SaveCosts, steps: tuple[int, ...]) -> Decider:
    """The bound without which the saves would lie elsewhere."""
    times = (total_steps, costs.step_seconds, costs.save_seconds)
    if save_steps(schedule, *times) != steps:
        return Decider.DRAIN
    unbounded, apart = replace(schedule, seconds_between_losses=None), costs.least_apart
    if save_steps(unbounded, *times, least_apart=apart) != steps:
        return Decider.EVICTIONS
    unshared = save_steps(replace(unbounded, max_share=1.0), *times, least_apart=apart)
    return Decider.LADDER if unshared == steps else Decider.SHARE


def _relaunched(shrinking: SavePlan, made: tuple[Launch, ...], total_steps: int, costs: SaveCosts) -> SavePlan:
    steps = tuple(step for launch in made for step in launch.steps)
    recomputed = recomputed_steps(made)
    training, saving = (total_steps + recomputed) * costs.step_seconds, len(steps) * costs.save_seconds
    # A launch begins where the one before it saved last, so all saves rise; what a launch loses at its end is always
    # less than the first save_steps that lie within the run.
    before, until = _widest(steps)
    extra = recomputed * costs.step_seconds + saving - shrinking.total_seconds + (len(made) - 1) * costs.restart_seconds
    return replace(
        shrinking,
        steps=steps,
        at_risk_seconds=(until - before) * costs.step_seconds,
        at_risk_until=until,
        share=saving / (training + saving),
        decides=Decider.RELAUNCH,
        relaunching=Relaunching(made, recomputed, extra),
    )


def _stretches(steps: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """The first and last step of each stretch that ends with a save."""
    return zip((0, *steps), steps, strict=False)


def _widest(steps: tuple[int, ...]) -> tuple[int, int]:
    """The first of the longest stretches."""
    return max(_stretches(steps), key=lambda stretch: stretch[1] - stretch[0])
