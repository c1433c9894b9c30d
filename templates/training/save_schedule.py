"""When to save: an interval that shrinks as the end comes near, within what saving may take and a loss may cost.

Pure and standard library only. The planner (`save_steps`) and the trainer (`should_save`) go through the same
`next_save_step`, so a run whose steps and saves take what was planned saves exactly where the plan said.

The rule, from one save to the next, with `left` steps to go:

1. the ladder `first_interval, first_interval / factor, … last_interval` gives the widest interval `i` that still fits
   `factor` times into `left` (the lowest rung when none does);
2. saving may take at most `max_share` of the time: one save of `save_seconds` per `n` steps of `step_seconds` takes
   the share `save_seconds / (n * step_seconds + save_seconds)`, hence
   `n >= save_seconds * (1 - max_share) / (max_share * step_seconds)`; a smaller `i` is widened to that;
3. where machines are known to be lost every `M` seconds on average (spot), a save at least every
   `sqrt(2 * save_seconds * M)` seconds of training loses least; a larger `i` is narrowed to that. It wins over the
   share: saving too seldom costs more training than saving costs time;
4. `left` is cut into `left // i` pieces as equal as whole steps allow (into more, where a piece would exceed rule 3),
   and the first piece is the interval. So no stump is left before the last step, which is always saved.

Rule 3 is the first-order optimum of J. W. Young, "A first order approximation to the optimum checkpoint interval",
Communications of the ACM 17(9), 1974. J. T. Daly, "A higher order estimate of the optimum checkpoint interval for
restart dumps", Future Generation Computer Systems 22(3), 2006, has further terms:
`sqrt(2CM) * (1 + sqrt(C / 2M) / 3 + (C / 2M) / 9) - C`. They are left out: for a 7B checkpoint of eight minutes and one
eviction in ten hours they narrow the interval by 5 %, which changes the time that is lost by less than a tenth of a per
cent of the run, and `M` itself is known no better than Azure's band of evictions tells it.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class ShrinkSchedule:
    """How the save interval shrinks.

    Attributes:
        first_interval: Widest interval, in optimizer steps.
        last_interval: Narrowest interval, in optimizer steps.
        factor: What one rung of the ladder divides the interval by; over 1.
        max_share: Largest share of the time that saving may take, over 0 and at most 1.
        seconds_between_losses: Mean time between two losses of the machine, in seconds; None when none is expected. It
            bounds the interval, and wins over `max_share`.
        expected_save_seconds: What the planner thinks that a save takes; 0 when it does not know. The trainer goes by
            it until it has measured one.

    Raises:
        ValueError: When a figure is out of its range.
    """

    first_interval: int
    last_interval: int = 1
    factor: float = 2.0
    max_share: float = 0.05
    seconds_between_losses: float | None = None
    expected_save_seconds: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.last_interval <= self.first_interval:
            raise ValueError(f"intervals must fall from the first to the last, both at least 1: {asdict(self)}")
        if not 1 < self.factor < math.inf:
            raise ValueError(f"factor must be over 1: {self.factor}")
        if not 0 < self.max_share <= 1:
            raise ValueError(f"max_share must be over 0 and at most 1: {self.max_share}")
        if self.seconds_between_losses is not None and not 0 < self.seconds_between_losses < math.inf:
            raise ValueError(f"seconds_between_losses must be over 0: {self.seconds_between_losses}")
        if not 0 <= self.expected_save_seconds < math.inf:
            raise ValueError(f"expected_save_seconds must be at least 0: {self.expected_save_seconds}")

    def to_json(self) -> str:
        """Write it as one line of JSON, as the trainer's `--llamalift_schedule` takes it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ShrinkSchedule:
        """Read what `to_json` wrote.

        Raises:
            ValueError: When it is no JSON object of these fields, or a figure is out of its range.
        """
        fields = json.loads(text)
        try:
            return cls(**fields)
        except TypeError as error:
            raise ValueError(f"not a save schedule: {text}") from error


def ladder(schedule: ShrinkSchedule, rungs_down: int = 0) -> tuple[int, ...]:
    """Give the intervals from the widest to the narrowest, in steps.

    Args:
        schedule: The schedule.
        rungs_down: How many of the widest rungs are gone: one for each crash or eviction. The last rung always stays.
    """
    intervals = [schedule.first_interval]
    while intervals[-1] > schedule.last_interval:
        intervals.append(max(schedule.last_interval, int(intervals[-1] / schedule.factor)))
    return tuple(intervals[min(rungs_down, len(intervals) - 1) :])


def share_interval(schedule: ShrinkSchedule, step_seconds: float, save_seconds: float) -> int:
    """Give the narrowest interval, in steps, that keeps saving within `max_share`; 1 while a time is unknown (0)."""
    if step_seconds <= 0 or save_seconds <= 0:
        return 1
    steps = save_seconds * (1 - schedule.max_share) / (schedule.max_share * step_seconds)
    return max(1, math.ceil(min(steps, 1e15)))


def optimum_seconds(save_seconds: float, seconds_between_losses: float) -> float:
    """Give the seconds of training between two saves that lose least (Young 1974, see above)."""
    return math.sqrt(2 * save_seconds * seconds_between_losses)


def eviction_interval(schedule: ShrinkSchedule, step_seconds: float, save_seconds: float) -> int | None:
    """Give the widest interval, in steps, that losses of the machine allow: whole steps within the optimum, at least 1.

    None where no loss is expected or a time is unknown (0).
    """
    if schedule.seconds_between_losses is None or step_seconds <= 0 or save_seconds <= 0:
        return None
    return max(1, int(min(optimum_seconds(save_seconds, schedule.seconds_between_losses) / step_seconds, 1e15)))


def next_save_step(
    schedule: ShrinkSchedule,
    *,
    last_save: int,
    total_steps: int,
    step_seconds: float,
    save_seconds: float,
    rungs_down: int = 0,
) -> int:
    """Give the step of the next save.

    Args:
        schedule: The schedule.
        last_save: Step of the last save, or 0.
        total_steps: Steps of the whole run; more than `last_save`.
        step_seconds: Seconds that one optimizer step takes; 0 when not measured yet.
        save_seconds: Seconds that one save takes; 0 when not measured yet.
        rungs_down: Crashes and evictions so far.
    """
    left = total_steps - last_save
    rungs = ladder(schedule, rungs_down)
    fitting = next((rung for rung in rungs if rung * schedule.factor <= left), rungs[-1])
    interval = max(fitting, share_interval(schedule, step_seconds, save_seconds))
    pieces = max(1, left // interval)
    widest = eviction_interval(schedule, step_seconds, save_seconds)
    if widest is not None:
        pieces = max(left // min(interval, widest), math.ceil(left / widest))
    return last_save + math.ceil(left / pieces)


def save_steps(
    schedule: ShrinkSchedule,
    total_steps: int,
    step_seconds: float,
    save_seconds: float,
    *,
    rungs_down: int = 0,
    first_step: int = 0,
    least_apart: int = 1,
) -> tuple[int, ...]:
    """Give every step that is saved when steps and saves take the given seconds.

    Promises, with `n = share_interval(...)`, `rungs = ladder(...)` and `widest = eviction_interval(...)`:

    * intervals never grow, and the last step is always saved;
    * no interval exceeds `widest`;
    * unless `widest` wants it otherwise (it is below `2 * n - 1`), saving takes at most `max_share` of the time. The
      one exception: a run shorter than `n` has a single save, its last step, whatever it takes;
    * at most `total_steps // rungs[0] + (len(rungs) - 1) * ceil(2 * factor**2) + 1` saves (each lower rung is reached
      with less than `factor` of the rung above it to go, and that one is less than `2 * factor` times as wide), and at
      most `max(1, total_steps // n)`; with `widest`, at most `ceil(total_steps / widest)` more.

    Args:
        schedule: The schedule.
        total_steps: Steps of the whole run.
        step_seconds: Seconds that one optimizer step takes; 0 when not known.
        save_seconds: Seconds that one save takes; 0 when not known.
        rungs_down: Crashes and evictions so far.
        first_step: Step that the run goes on from.
        least_apart: Steps that pass at least between two saves, because the drain of the first takes so long; the last
            step is saved all the same, and this wins over `widest`.
    """
    steps: list[int] = []
    last_save = first_step
    while last_save < total_steps:
        due = next_save_step(
            schedule,
            last_save=last_save,
            total_steps=total_steps,
            step_seconds=step_seconds,
            save_seconds=save_seconds,
            rungs_down=rungs_down,
        )
        # Nothing is on its way before the first save.
        last_save = min(total_steps, max(due, last_save + least_apart)) if steps else due
        steps.append(last_save)
    return tuple(steps)


def should_save(
    schedule: ShrinkSchedule,
    *,
    step: int,
    last_save: int,
    total_steps: int,
    step_seconds: float,
    save_seconds: float,
    rungs_down: int = 0,
) -> bool:
    """Say whether the state after `step` is to be saved, from the times measured so far (see `next_save_step`)."""
    if step >= total_steps:
        return step > last_save
    due = next_save_step(
        schedule,
        last_save=last_save,
        total_steps=total_steps,
        step_seconds=step_seconds,
        save_seconds=save_seconds,
        rungs_down=rungs_down,
    )
    return step >= due
