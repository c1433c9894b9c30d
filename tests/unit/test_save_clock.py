"""The trainer's clock saves when the schedule says so for the times that it measured."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from templates.training.save_clock import SaveClock
from templates.training.save_schedule import ShrinkSchedule, save_steps

SCHEDULE = ShrinkSchedule(first_interval=16, max_share=0.1)


class Time:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        """Start at zero."""
        self.seconds = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.seconds


def run(clock: SaveClock, time: Time, *, step_seconds: float, save_seconds: float, first_step: int = 0) -> list[int]:
    """Train with steady times; give the steps that were saved."""
    saved = []
    clock.start()
    for step in range(first_step + 1, clock.total_steps + 1):
        time.seconds += step_seconds
        clock.step_done()
        if clock.is_due(step):
            time.seconds += save_seconds
            clock.saved(step, save_seconds)
            saved.append(step)
    return saved


def test_steady_times_give_the_plan() -> None:
    """With the seconds that the planner knew, an attempt saves where the plan said."""
    time = Time()
    clock = SaveClock(SCHEDULE, 100, 0, 0, time, known_step_seconds=2.0, known_save_seconds=3.0)
    assert tuple(run(clock, time, step_seconds=2.0, save_seconds=3.0)) == save_steps(SCHEDULE, 100, 2.0, 3.0)


def test_a_slow_save_is_learnt() -> None:
    """Nothing known: the first save is due by the ladder, the later ones keep to the share."""
    time = Time()
    saved = run(SaveClock(SCHEDULE, 200, 0, 0, time), time, step_seconds=1.0, save_seconds=5.0)
    assert saved[0] == 17
    assert min(after - before for before, after in itertools.pairwise(saved)) >= 45
    assert saved[-1] == 200


def test_saving_time_is_not_step_time() -> None:
    """A save between two steps does not make the next one look slow, nor does one slow step."""
    time = Time()
    clock = SaveClock(SCHEDULE, 40, 0, 0, time)
    run(clock, time, step_seconds=2.0, save_seconds=50.0)
    assert clock.step_seconds == 2.0
    assert clock.save_seconds == 50.0


def test_the_planners_save_time_stands_until_one_is_measured() -> None:
    """A first attempt on spot keeps the eviction bound before it has saved once; an earlier measurement goes before."""
    schedule = ShrinkSchedule(80, seconds_between_losses=1000.0, expected_save_seconds=2.0)
    time = Time()
    clock = SaveClock(schedule, 400, 0, 0, time)
    assert clock.save_seconds == 2.0
    saved = run(clock, time, step_seconds=1.0, save_seconds=2.0)
    assert tuple(saved) == save_steps(schedule, 400, 1.0, 2.0)
    assert saved[0] == 58
    assert SaveClock(schedule, 400, 0, 0, time, known_save_seconds=8.0).save_seconds == 8.0


@given(
    first_interval=st.integers(min_value=1, max_value=400),
    max_share=st.floats(min_value=0.01, max_value=1),
    seconds_between_losses=st.one_of(st.none(), st.floats(min_value=10, max_value=1e6)),
    total_steps=st.integers(min_value=1, max_value=600),
    step_seconds=st.integers(min_value=1, max_value=64),
    save_seconds=st.integers(min_value=1, max_value=1024),
    rungs_down=st.integers(min_value=0, max_value=5),
)
def test_a_run_that_takes_what_was_planned_saves_where_it_was_planned(
    *,
    first_interval: int,
    max_share: float,
    seconds_between_losses: float | None,
    total_steps: int,
    step_seconds: int,
    save_seconds: int,
    rungs_down: int,
) -> None:
    """The trainer's clock gives exactly the planner's steps, from its first attempt on."""
    schedule = ShrinkSchedule(
        first_interval,
        max_share=max_share,
        seconds_between_losses=seconds_between_losses,
        expected_save_seconds=float(save_seconds),
    )
    time = Time()
    clock = SaveClock(schedule, total_steps, rungs_down, 0, time)
    saved = run(clock, time, step_seconds=step_seconds, save_seconds=save_seconds)
    assert tuple(saved) == save_steps(schedule, total_steps, step_seconds, save_seconds, rungs_down=rungs_down)
    assert clock.planned_steps(0) == tuple(saved)


def test_a_refused_save_is_asked_for_at_the_next_rung() -> None:
    """A full disk is a problem once for each interval, not at every step."""
    time = Time()
    clock = SaveClock(SCHEDULE, 100, 0, 0, time)
    due = [step for step in range(1, 101) if clock.is_due(step)]
    assert len(due) > 80
    clock.refused(17)
    assert not clock.is_due(18)
    assert clock.is_due(100)


def test_a_crash_starts_one_rung_lower() -> None:
    """After one crash the widest interval is half as wide."""
    time = Time()
    first = run(SaveClock(SCHEDULE, 160, 0, 0, time), time, step_seconds=1.0, save_seconds=0.0)
    second = run(SaveClock(SCHEDULE, 160, 1, 0, time), time, step_seconds=1.0, save_seconds=0.0)
    assert (first[0], second[0]) == (16, 8)
