"""The shrinking save schedule keeps its promises for any run."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.training.save_schedule import ShrinkSchedule, ladder, save_steps, share_interval, should_save

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


@given(**RUN)
def test_saving_keeps_to_its_share(
    schedule: ShrinkSchedule, total_steps: int, step_seconds: float, save_seconds: float, rungs_down: int
) -> None:
    """Saving takes at most max_share of the time, but for the one save of a run that is too short for any."""
    steps = save_steps(schedule, total_steps, step_seconds, save_seconds, rungs_down=rungs_down)
    narrowest = share_interval(schedule, step_seconds, save_seconds)
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
    assert count <= total_steps // rungs[0] + (len(rungs) - 1) * math.ceil(2 * schedule.factor**2) + 1
    assert count <= max(1, total_steps // share_interval(schedule, step_seconds, save_seconds))


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
