"""What a run of several stages takes: each stage by itself, and all of them on one machine and one disk."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runs.plan.after_estimate import after_seconds
from runs.plan.estimate import TimeEstimate
from runs.plan.figures import LAUNCH_SECONDS, Figures, disk_of, figures_of, with_saves

if TYPE_CHECKING:
    from runs.plan.disk import DiskNeed
    from runs.plan.sizes import VmSize
    from runs.plan.trouble import Trouble
    from runs.plan.workload import Workload


def run_figures(work: Workload, size: VmSize, trouble: Trouble) -> Figures:
    """Work out what a run takes on a size, stage by stage; what cannot work on it is noted in `trouble`."""
    if not work.stages:
        return _with_after(work, figures_of(work, size, trouble))
    each = []
    for number, stage in enumerate(work.stages):
        found = trouble.of_stage(number)
        each.append(figures_of(stage, size, found))
        trouble.join(found)
    need = _need(work, each)
    figures = replace(each[0], need=need, disk=disk_of(work, size, need, trouble))
    return _with_after(work, _together(figures, each))


def run_saves(work: Workload, figures: Figures, evictions_per_hour: float | None) -> Figures:
    """The same with saves and times, where machines are lost so often; None for never, or not known."""
    if not work.stages:
        return _with_after(work, with_saves(work.loaded.spec, figures, evictions_per_hour))
    # All stages share the run's disk, which may be faster than the one that each would have chosen for itself.
    each = [
        with_saves(stage.loaded.spec, replace(own, disk=figures.disk), evictions_per_hour)
        for stage, own in zip(work.stages, figures.stages, strict=True)
    ]
    return _with_after(work, _together(figures, each))


def _with_after(work: Workload, figures: Figures) -> Figures:
    """The same with the time that answers and scores take."""
    if figures.time is None:
        return figures
    return replace(figures, time=replace(figures.time, after_seconds=after_seconds(work, figures.size)))


def _need(work: Workload, each: list[Figures]) -> DiskNeed:
    """One stage's checkpoints are removed when its model is done; the models stay."""
    needs = [figures.need for figures in each]
    return replace(
        needs[0],
        checkpoint=max(need.checkpoint for need in needs),
        checkpoints=max(need.checkpoints for need in needs),
        final=sum(need.final for need in needs),
        data=work.data_bytes + work.synced_bytes,
    )


def _together(figures: Figures, each: list[Figures]) -> Figures:
    """Sums where the stages follow each other, the worst where each must do by itself."""
    steps = [own.steps for own in each if own.steps is not None]
    times = [own.time for own in each if own.time is not None]
    saves = [own.saves for own in each if own.saves is not None]
    memories = [own.memory for own in each if own.memory is not None]
    is_known = len(steps) == len(times) == len(each)
    return replace(
        figures,
        config=replace(figures.config, notes=tuple(dict.fromkeys(note for own in each for note in own.config.notes))),
        steps=sum(steps) if is_known else None,
        one_step_seconds=_mean_step(each),
        saves=max(saves, key=lambda plan: plan.worst_loss_seconds) if is_known else None,
        time=_time(times) if is_known else None,
        memory=max(memories, key=lambda memory: memory.taken_bytes, default=None),
        stages=tuple(each),
    )


def _mean_step(each: list[Figures]) -> float:
    steps = [own.steps or 1 for own in each]
    return sum(own.one_step_seconds * count for own, count in zip(each, steps, strict=True)) / sum(steps)


def _time(times: list[TimeEstimate]) -> TimeEstimate:
    training = sum(time.training_seconds for time in times)
    per_step = [time.training_seconds / time.step_seconds for time in times if time.step_seconds]
    return TimeEstimate(
        step_seconds=training / sum(per_step) if sum(per_step) else 0.0,
        training_seconds=training,
        saving_seconds=sum(time.saving_seconds for time in times),
        # The machine is set up once; a stage that follows another one loads the model and is verified by itself.
        around_seconds=max(time.around_seconds for time in times) + 2 * LAUNCH_SECONDS * (len(times) - 1),
    )
