"""Which charts a report has, from what the trainer told."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from cli.report.chart import Chart, Mark, axis, curve, smoothed, steps_axis
from cli.words import duration
from runs.thinning import thinned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.report.chart import Axis
    from runs.training_log import Save, Training

# More points than a wide screen has columns are not to be seen.
_MOST_POINTS = 1500
_SMOOTHED_FROM = 30
_LAST_SAVES = 200


def loss_chart(training: Training) -> Chart | None:
    """Loss at each logged step, smoothed where there are many, with saves and restarts; None before two steps."""
    points = training.curve("loss")
    if len(points) < 2:
        return None
    x = _steps(training)
    y = axis([loss for _, loss in points], words=lambda value: f"{value:.3g}")
    shown = thinned(points, _MOST_POINTS)
    curves = [curve("loss", shown, x, y)]
    if len(points) >= _SMOOTHED_FROM:
        mean = thinned(smoothed(points), _MOST_POINTS)
        curves = [curve("each step", shown, x, y, faint=True), curve("smoothed", mean, x, y)]
    (first, begin), (last, end) = points[0], points[-1]
    words = f"loss from {begin:.3f} at step {first:,} to {end:.3f} at step {last:,}"
    marks = tuple(Mark(x.share(step), kind, text) for step, kind, text in _marks(training))
    return Chart("Loss", words, x, y, tuple(curves), marks)


def _marks(training: Training) -> Iterator[tuple[int, str, str]]:
    for start in training.starts[1:]:
        lost = f", {start.lost_steps} steps trained again" if start.lost_steps else ""
        yield start.step, "fault", f"restart from step {start.step}{lost}"
    for save in saved(training)[-_LAST_SAVES:]:
        yield save.step, "save", f"saved at step {save.step}"


def further_charts(training: Training) -> list[Chart]:
    """Learning rate, speed, use of the GPUs' peak, and how the saves came closer: those that there is something of."""
    charts = (
        _plain(training, "learning_rate", "Learning rate", lambda value: f"{value:.1e}" if value else "0"),
        _plain(training, "tokens_per_second", "Tokens per second", lambda value: f"{value:,.0f}"),
        _plain(training, "mfu", "MFU (share of the GPUs' peak)", lambda value: f"{value:.0%}"),
        _saves(training),
    )
    return [chart for chart in charts if chart is not None]


def _plain(training: Training, column: str, title: str, words: Callable[[float], str]) -> Chart | None:
    points = training.curve(column)
    if len(points) < 2:
        return None
    x, y = _steps(training), axis([value for _, value in points], words=words, from_zero=True)
    said = f"{title}: from {words(points[0][1])} to {words(points[-1][1])}"
    return Chart(title, said, x, y, (curve(title, thinned(points, _MOST_POINTS), x, y),))


def _saves(training: Training) -> Chart | None:
    """How many steps each save lay after the one before."""
    found = saved(training)
    if len(found) < 2:
        return None
    x = _steps(training)
    gaps = [(found[0].step, float(found[0].step))]
    gaps += [(after.step, float(after.step - before.step)) for before, after in pairwise(found)]
    gaps = [gap for gap in gaps if gap[1] > 0]
    y = axis([gap for _, gap in gaps], words=lambda value: f"{value:,.0f}", from_zero=True)
    marks = tuple(
        Mark(x.share(save.step), "save", f"step {save.step}, took {duration(save.seconds)}") for save in found
    )
    words = f"{len(found)} saves, {gaps[0][1]:.0f} steps apart at first and {gaps[-1][1]:.0f} at last"
    return Chart("Steps between saves", words, x, y, (curve("steps", gaps, x, y),), marks)


def saved(training: Training) -> list[Save]:
    """The saves of the trainer itself, in order; those that a restart made again count once."""
    by_step = {save.step: save for save in training.saves if save.home == "saved"}
    return [by_step[step] for step in sorted(by_step)]


def _steps(training: Training) -> Axis:
    newest = int(training.columns["step"][-1]) if training.points else 0
    return steps_axis(max(newest, training.total_steps or 0))
