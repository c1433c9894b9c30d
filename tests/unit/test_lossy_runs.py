"""The simulation behind the save-overhead benchmark plays runs as the planner plans them."""

from __future__ import annotations

import statistics
from dataclasses import replace

import pytest

from templates.training.save_schedule import ShrinkSchedule, optimum_seconds, save_steps
from tests.fakes.lossy_runs import Disk, Relaunching, Shrinking, World, play

WORLD = World(1290, step=30.0, save=472.0, drain=0.0, restart=1200.0, relaunch=600.0, between_losses=None)
RECIPE = ShrinkSchedule(800)


def test_without_losses_our_run_is_the_plan() -> None:
    """As many saves as planned, every step once, and no second more."""
    taken = play(Shrinking(RECIPE, WORLD), WORLD, 1)
    saves = len(save_steps(RECIPE, 1290, 30.0, 472.0))
    assert (taken.trained, taken.saves, taken.losses) == (1290, saves, 0)
    assert taken.seconds == 1290 * 30.0 + saves * 472.0


@pytest.mark.parametrize(("skip", "again", "launches"), [(True, 641, 6), (False, 821, 8)])
def test_without_losses_the_recipe_trains_its_end_again(*, skip: bool, again: int, launches: int) -> None:
    """The steps that its launches lose, and the time of starting each but the first."""
    taken = play(Relaunching(RECIPE, WORLD, skip), WORLD, 1)
    assert (taken.trained - 1290, taken.saves) == (again, 6)
    assert taken.seconds == (1290 + again) * 30.0 + 6 * 472.0 + (launches - 1) * 600.0


def test_losses_cost_what_was_not_saved_and_every_run_ends() -> None:
    """Whatever the chance: all steps are trained, those after the newest save more than once."""
    lossy = replace(WORLD, between_losses=20_000.0)
    for seed in range(40):
        for way in (Shrinking(RECIPE, lossy), Relaunching(RECIPE, lossy, skip=True)):
            taken = play(way, lossy, seed)
            assert taken.trained >= 1290
            assert taken.seconds >= taken.trained * 30.0 + taken.saves * 472.0 + taken.losses * 1200.0


def test_youngs_interval_takes_least_time() -> None:
    """Fixed intervals of half and of twice the optimum take longer, over many runs with the same chances."""
    lossy = replace(WORLD, total_steps=4000, between_losses=36_000.0)
    best = optimum_seconds(472.0, 36_000.0) / 30.0

    def mean(interval: float) -> float:
        schedule = ShrinkSchedule(int(interval), int(interval), max_share=1.0)
        runs = (play(Shrinking(schedule, lossy), lossy, seed) for seed in range(400))
        return statistics.fmean(run.seconds for run in runs)

    assert mean(best) < min(mean(best / 3), mean(best * 3))


def test_a_save_that_was_not_drained_is_lost_with_the_machine() -> None:
    """One drain at a time; what waits is replaced by what is newer."""
    disk = Disk(drain=100.0)
    disk.saved(10, 0.0)
    disk.saved(20, 50.0)
    disk.saved(30, 60.0)
    assert Disk(drain=100.0).lost(1e9) == 0
    disk.look(99.0)
    assert disk.durable == 0
    disk.look(150.0)
    assert disk.durable == 10
    assert disk.lost(200.0) == 30
    disk.saved(40, 300.0)
    assert disk.lost(399.0) == 30
