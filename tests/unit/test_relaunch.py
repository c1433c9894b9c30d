"""The recipe's literal way: which launches there are, what they save, and what they train twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.training.relaunch import NothingToGainError, RelaunchClock, launches, recomputed_steps, saved_steps
from templates.training.save_schedule import ShrinkSchedule, ladder

RECIPE = ShrinkSchedule(first_interval=800)


def test_the_recipe_by_hand() -> None:
    """1,290 steps with save_steps 800, 400, ... 1: seven launches until the last step is held, 821 steps once more."""
    made = launches(RECIPE, 1290, skip=False)
    assert [launch.save_steps for launch in made] == [800, 400, 200, 100, 50, 25, 12, 6]
    assert [launch.lost_steps for launch in made] == [490, 90, 90, 90, 40, 15, 6, 0]
    assert recomputed_steps(made) == 821


def test_a_launch_without_anything_to_gain_is_left_out() -> None:
    """From step 1,200 neither 200 nor 100 reaches a further multiple before the end: 641 steps instead of 821."""
    made = launches(RECIPE, 1290)
    assert [(launch.save_steps, launch.start_step, launch.steps) for launch in made] == [
        (800, 0, (800,)),
        (400, 800, (1200,)),
        (50, 1200, (1250,)),
        (25, 1250, (1275,)),
        (12, 1275, (1284,)),
        (6, 1284, (1290,)),
    ]
    assert recomputed_steps(made) == 641


@given(
    first=st.integers(min_value=1, max_value=900),
    factor=st.floats(min_value=1.3, max_value=8),
    total_steps=st.integers(min_value=1, max_value=3000),
)
def test_every_run_ends_with_its_last_step_saved(first: int, factor: float, total_steps: int) -> None:
    """Down to 1 something always holds the last step; each launch begins where the one before saved last."""
    schedule = ShrinkSchedule(first, factor=factor)
    made = launches(schedule, total_steps)
    assert made[-1].steps[-1] == total_steps
    assert made[-1].lost_steps == 0
    newest = 0
    for launch in made:
        assert launch.start_step == newest
        assert all(step > newest and step % launch.save_steps == 0 for step in launch.steps)
        newest = launch.steps[-1]
    assert recomputed_steps(made) <= recomputed_steps(launches(schedule, total_steps, skip=False))
    assert {launch.save_steps for launch in made} <= set(ladder(schedule))


@pytest.mark.parametrize(("every", "start"), [(800, 0), (50, 1200), (1, 1290), (6, 1284)])
def test_the_trainer_saves_where_the_planner_says(every: int, start: int) -> None:
    """A launch's clock is due at the multiples of its save_steps, whatever saves take."""
    clock = RelaunchClock(ShrinkSchedule(every, every), 1290, 3, start, lambda: 0.0, 1.0, 1e6)
    planned = clock.planned_steps(start)
    assert tuple(step for step in range(start + 1, 1291) if clock.is_due(step)) == planned
    assert planned == saved_steps(every, 1290, start)


def test_a_launch_that_gains_nothing_says_so() -> None:
    """Before it trains; at the last step there is nothing to train and nothing to complain of."""
    clock = RelaunchClock(ShrinkSchedule(800, 800), 500, 0, 0, lambda: 0.0)
    with pytest.raises(NothingToGainError):
        clock.planned_steps(0)
    assert clock.planned_steps(500) == ()
