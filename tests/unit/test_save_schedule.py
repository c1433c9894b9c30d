"""The shrinking save schedule keeps its promises for any run."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.training.save_schedule import (
    ShrinkSchedule,
    eviction_interval,
    ladder,
    optimum_seconds,
    save_steps,
    share_interval,
    should_save,
)

SECONDS = st.one_of(st.just(0.0), st.floats(min_value=1e-3, max_value=1e4))


@st.composite
def schedules(draw: st.DrawFn) -> ShrinkSchedule:
    """Draw any valid schedule."""
    first = draw(st.integers(min_value=1, max_value=2000))
    return ShrinkSchedule(
        first_interval=first,
        last_interval=draw(st.integers(min_value=1, max_value=first)),
        factor=draw(st.floats(min_value=1.05, max_value=16)),
        max_share=draw(st.floats(min_value=0.005, max_value=1)),
        seconds_between_losses=draw(st.one_of(st.none(), st.floats(min_value=1, max_value=1e7))),
    )


RUN = {
    "schedule": schedules(),
    "total_steps": st.integers(min_value=1, max_value=3000),
    "step_seconds": SECONDS,
    "save_seconds": SECONDS,
    "rungs_down": st.integers(min_value=0, max_value=12),
}


def intervals(steps: tuple[int, ...]) -> list[int]:
    """Give the distances between saves, the first from step 0."""
    return [after - before for before, after in itertools.pairwise((0, *steps))]


def test_the_recipe_shrinks_from_800_to_1() -> None:
    """The published run of 1,288 steps is saved twelve times, the last steps one by one."""
    steps = save_steps(ShrinkSchedule(first_interval=800), 1288, step_seconds=0, save_seconds=0)
    assert steps == (430, 859, 1074, 1181, 1235, 1262, 1275, 1282, 1285, 1286, 1287, 1288)


def test_a_slow_save_widens_the_interval() -> None:
    """39 s steps and 472 s saves (94 GB at 200 MB/s) leave no interval under 230 steps at a share of 5 %."""
    steps = save_steps(ShrinkSchedule(first_interval=800), 1288, step_seconds=39, save_seconds=472)
    assert min(intervals(steps)) >= 230
    assert steps == (430, 859, 1288)


@given(**RUN)
def test_it_ends_on_the_last_step_and_never_grows(
    schedule: ShrinkSchedule, total_steps: int, step_seconds: float, save_seconds: float, rungs_down: int
) -> None:
    """The last step is saved, steps rise, and no interval is wider than the one before it."""
    steps = save_steps(schedule, total_steps, step_seconds, save_seconds, rungs_down=rungs_down)
    gaps = intervals(steps)
    assert steps[-1] == total_steps
    assert min(gaps) >= 1
    assert all(after <= before for before, after in itertools.pairwise(gaps))


@pytest.mark.parametrize(
    ("evictions_per_hour", "steps"),
    [
        (0.05, (258, 516, 774, 1032, 1290)),
        (0.10, (185, 370, 554, 738, 922, 1106, 1290)),
        (0.20, (129, 258, 387, 516, 645, 774, 903, 1032, 1161, 1290)),
    ],
)
def test_evictions_narrow_the_interval_over_the_share(evictions_per_hour: float, steps: tuple[int, ...]) -> None:
    """The recipe on spot: 28.8 s steps and 472 s saves; the share alone would wait 312 steps and more."""
    schedule = ShrinkSchedule(first_interval=800, seconds_between_losses=3600 / evictions_per_hour)
    assert share_interval(schedule, 28.8, 472) == 312
    assert save_steps(schedule, 1290, 28.8, 472) == steps


def test_the_optimum_is_youngs() -> None:
    """Two hours between losses and a save of a minute: sqrt(2 * 60 * 7200) = 929.5 s."""
    assert optimum_seconds(60, 7200) == pytest.approx(929.5, abs=0.1)


def test_the_optimum_loses_least() -> None:
    """Saving at half or twice Young's interval costs more: the time of the saves, and half an interval at each loss."""
    save, between = 472.0, 36_000.0

    def lost(interval: float) -> float:
        return save / interval + interval / (2 * between)

    best = optimum_seconds(save, between)
    assert all(lost(best) < lost(best * factor) for factor in (0.5, 0.9, 1.1, 2))


@given(**RUN)
def test_no_interval_is_wider_than_losses_allow(
    schedule: ShrinkSchedule, total_steps: int, step_seconds: float, save_seconds: float, rungs_down: int
) -> None:
    """Whatever ladder and share say, no more than the optimum lies between two saves, but always a whole step."""
    widest = eviction_interval(schedule, step_seconds, save_seconds)
    steps = save_steps(schedule, total_steps, step_seconds, save_seconds, rungs_down=rungs_down)
    if widest is not None and schedule.seconds_between_losses is not None:
        assert max(intervals(steps)) <= widest
        best = optimum_seconds(save_seconds, schedule.seconds_between_losses)
        assert widest == 1 or widest * step_seconds <= best * (1 + 1e-9)


@given(**RUN)
def test_losses_only_ever_add_saves(
    schedule: ShrinkSchedule, total_steps: int, step_seconds: float, save_seconds: float, rungs_down: int
) -> None:
    """Where the optimum is no narrower than what would be kept anyway, nothing changes; else there are more saves."""
    times = (total_steps, step_seconds, save_seconds)
    steps = save_steps(schedule, *times, rungs_down=rungs_down)
    without = save_steps(replace(schedule, seconds_between_losses=None), *times, rungs_down=rungs_down)
    widest = eviction_interval(schedule, step_seconds, save_seconds)
    assert len(steps) >= len(without)
    if widest is None or max(intervals(without)) <= widest:
        assert steps == without


@given(**RUN)
def test_saving_keeps_to_its_share(
    schedule: ShrinkSchedule, total_steps: int, step_seconds: float, save_seconds: float, rungs_down: int
) -> None:
    """Saving takes at most max_share of the time, unless losses want more saves or the run is too short for any."""
    steps = save_steps(schedule, total_steps, step_seconds, save_seconds, rungs_down=rungs_down)
    narrowest = share_interval(schedule, step_seconds, save_seconds)
    widest = eviction_interval(schedule, step_seconds, save_seconds)
    if widest is not None and widest < 2 * narrowest - 1:
        return
    if total_steps < narrowest:
        assert steps == (total_steps,)
    elif step_seconds > 0:
        saving = len(steps) * save_seconds
        assert saving <= schedule.max_share * (total_steps * step_seconds + saving) * (1 + 1e-9)


@given(**RUN)
def test_the_number_of_saves_is_bounded(
    schedule: ShrinkSchedule, total_steps: int, step_seconds: float, save_seconds: float, rungs_down: int
) -> None:
    """Both bounds of the docstring hold."""
    count = len(save_steps(schedule, total_steps, step_seconds, save_seconds, rungs_down=rungs_down))
    rungs = ladder(schedule, rungs_down)
    widest = eviction_interval(schedule, step_seconds, save_seconds)
    more = 0 if widest is None else math.ceil(total_steps / widest)
    assert count <= total_steps // rungs[0] + (len(rungs) - 1) * math.ceil(2 * schedule.factor**2) + 1 + more
    assert count <= max(1, total_steps // share_interval(schedule, step_seconds, save_seconds)) + more


@given(**RUN)
def test_planner_and_trainer_agree(
    schedule: ShrinkSchedule, total_steps: int, step_seconds: float, save_seconds: float, rungs_down: int
) -> None:
    """Asked after every step, with the same times, the trainer saves where the plan said."""
    saved = [0]
    for step in range(1, total_steps + 1):
        if should_save(
            schedule,
            step=step,
            last_save=saved[-1],
            total_steps=total_steps,
            step_seconds=step_seconds,
            save_seconds=save_seconds,
            rungs_down=rungs_down,
        ):
            saved.append(step)
    assert tuple(saved[1:]) == save_steps(schedule, total_steps, step_seconds, save_seconds, rungs_down=rungs_down)


@given(**RUN, resumed_share=st.floats(min_value=0, max_value=1))
def test_a_resumed_run_keeps_the_rest_of_its_plan(
    *,
    schedule: ShrinkSchedule,
    total_steps: int,
    step_seconds: float,
    save_seconds: float,
    rungs_down: int,
    resumed_share: float,
) -> None:
    """Going on from a saved step saves at the same later steps."""
    steps = save_steps(schedule, total_steps, step_seconds, save_seconds, rungs_down=rungs_down)
    resumed = int(resumed_share * (len(steps) - 1))
    assert (
        save_steps(schedule, total_steps, step_seconds, save_seconds, rungs_down=rungs_down, first_step=steps[resumed])
        == (steps[resumed + 1 :])
    )


@given(schedule=schedules(), drop=st.integers(min_value=0, max_value=20))
def test_a_crash_takes_the_widest_rung(schedule: ShrinkSchedule, drop: int) -> None:
    """Each crash starts one rung lower, down to the last interval and no further."""
    whole = ladder(schedule)
    dropped = ladder(schedule, drop)
    assert dropped == whole[min(drop, len(whole) - 1) :]
    assert dropped[-1] == schedule.last_interval
    assert all(after < before for before, after in itertools.pairwise(whole))


@given(schedule=schedules())
def test_json_keeps_it(schedule: ShrinkSchedule) -> None:
    """What the client writes is what the trainer reads."""
    assert ShrinkSchedule.from_json(schedule.to_json()) == schedule


@pytest.mark.parametrize(
    "text",
    [
        '{"first_interval": 0}',
        '{"first_interval": 4, "last_interval": 8}',
        '{"first_interval": 4, "factor": 1}',
        '{"first_interval": 4, "max_share": 0}',
        '{"first_interval": 4, "max_share": 1.5}',
        '{"first_interval": 4, "seconds_between_losses": 0}',
        '{"first_interval": 4, "expected_save_seconds": -1}',
        '{"first": 4}',
        "{}",
        "4",
        "not json",
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    """Figures out of range, unknown fields and broken JSON are ValueErrors."""
    with pytest.raises(ValueError, match=r".+"):
        ShrinkSchedule.from_json(text)
