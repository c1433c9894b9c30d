"""The saves of a plan on the screen: a ruler of the run with a mark for each, what they take, what a loss costs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from runs.plan.saves import Decider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.plan.plan import Plan
    from runs.plan.saves import SavePlan

_MOST_STEPS_SHOWN, _SHOWN_FIRST, _SHOWN_LAST = 8, 4, 3
_ONE, _SEVERAL = "|", "#"


def save_lines(plan: Plan, saves: SavePlan, room: int) -> Iterator[tuple[str, str]]:
    """Yield one line per thing: its name, and the figure with its reason.

    Args:
        plan: The plan.
        saves: Its saves.
        room: Columns beside the names.
    """
    ruler = draw_ruler(saves.steps, plan.steps or saves.steps[-1], room)
    yield "saves", save_words(saves, several=_SEVERAL in ruler)
    yield "", ruler
    if saves.relaunching is not None:
        yield "relaunches", _relaunches(saves, plan.cost.per_hour)
    yield "bounds", _bounds(plan, saves)
    yield "at risk", risk_words(saves, plan.cost.per_hour)


def draw_ruler(steps: tuple[int, ...], total_steps: int, columns: int) -> str:
    """Draw the run from its first step to its last as one word: `0---|---|-|#1,290`; `#` stands for several saves."""
    first, last = "0", f"{total_steps:,}"
    length = max(2, columns - len(first) - len(last))
    marks = Counter(round(step / total_steps * (length - 1)) for step in steps)
    drawn = ("-" if not marks[at] else _ONE if marks[at] == 1 else _SEVERAL for at in range(length))
    return f"{first}{''.join(drawn)}{last}"


def save_words(saves: SavePlan, *, several: bool) -> str:
    """After which steps it saves, and what that takes; `several` explains the ruler's mark for more than one."""
    from cli.words import duration, size

    steps, count = saves.steps, len(saves.steps)
    shown = [*steps[:_SHOWN_FIRST], "...", *steps[-_SHOWN_LAST:]] if count > _MOST_STEPS_SHOWN else steps
    each = f"{size(saves.save_bytes)} and {duration(saves.save_seconds)}"
    taken = f"1 of {each}"
    if count > 1:
        taken = f"{count} of {each}, {size(saves.total_bytes)} and {duration(saves.total_seconds)} in all"
    legend = f" ({_SEVERAL}: several)" if several else ""
    if saves.drain_seconds:
        taken += f" on scratch; durable on the workspace {duration(saves.drain_seconds)} later, beside the training"
    return f"{taken}; after steps {', '.join(map(str, shown))}{legend}"


def _bounds(plan: Plan, saves: SavePlan) -> str:
    from cli.words import duration

    if saves.relaunching is not None:
        return f"none: a relaunched recipe saves at fixed steps; {percent(saves.share)} of the time"
    share = saves.share_interval
    words = (
        f"share of {percent(saves.max_share)}: at least {_steps(share)} ({duration(share * saves.step_seconds)}) apart"
    )
    if saves.drain_seconds:
        words += f"; drain: no save before the last one is durable ({duration(saves.drain_seconds)})"
    return f"{words}; {_eviction_bound(plan, saves)}; {percent(saves.share)} of the time ({_why(saves)})"


def _eviction_bound(plan: Plan, saves: SavePlan) -> str:
    from cli.words import duration

    rate, widest = saves.evictions_per_hour, saves.eviction_interval
    if rate is None or widest is None:
        unknown = plan.spot and plan.evictions_per_hour is None
        return f"no eviction bound{': how often machines are evicted there is unknown' if unknown else ''}"
    often = f"{percent(rate)} evictions an hour" if rate <= 1 else f"{rate:g} evictions an hour"
    return f"{often}: at most {_steps(widest)} ({duration(widest * saves.step_seconds)}) apart (Young-Daly)"


def _why(saves: SavePlan) -> str:
    share = f"the {percent(saves.max_share)} share"
    if saves.decides is Decider.DRAIN:
        return "the drain decides"
    if saves.decides is Decider.EVICTIONS:
        return f"eviction bound beats {share}" if saves.share > saves.max_share else "the eviction bound decides"
    return f"{share} decides" if saves.decides is Decider.SHARE else "the ladder decides"


def risk_words(saves: SavePlan, dollars_per_hour: float) -> str:
    """The most work that a loss can take, and when."""
    from cli.words import cents, duration

    worst, last = saves.worst_loss_seconds, saves.risks[-1][2]
    when = (
        f"right before the save after step {saves.at_risk_until} is {'durable' if saves.drain_seconds else 'complete'}"
    )
    words = f"at most {duration(worst)} of work ({cents(worst / 3600 * dollars_per_hour)}), {when}"
    # Only where it has fallen by more than a few seconds.
    return f"{words}; at the end {duration(last)}" if last < worst * 0.9 else words


def _relaunches(saves: SavePlan, dollars_per_hour: float) -> str:
    from cli.words import cents, duration

    relaunching = saves.relaunching
    assert relaunching is not None  # noqa: S101 - the caller has looked
    row = ", ".join(str(launch.save_steps) for launch in relaunching.launches)
    extra = max(0.0, relaunching.extra_seconds)
    more = f"{duration(extra)} and {cents(extra / 3600 * dollars_per_hour)} more"
    return (
        f"{len(relaunching.launches)} launches with save_steps {row}; {_steps(relaunching.recomputed_steps)} trained "
        f"again: {more} than one launch with shrinking intervals"
    )


def _steps(count: int) -> str:
    return f"{count:,} step{'' if count == 1 else 's'}"


def percent(share: float) -> str:
    """`5 %`, `6.6 %`."""
    return f"{share * 100:.1f}".removesuffix(".0") + " %"
