"""The trainer's clock saves when the schedule says so for the times that it measured."""

from __future__ import annotations

import itertools

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
