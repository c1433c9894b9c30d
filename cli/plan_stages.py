"""The stages of a plan on the screen: what each trains on, when it saves, what it takes; and the sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.plan_packing import packing_words
from cli.plan_saves import draw_ruler, risk_words, save_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.plan.plan import Plan
    from runs.plan.stage_plan import StagePlan


def stage_lines(plan: Plan, room: int) -> Iterator[tuple[str, str]]:
    """Yield the lines of each stage: its name, and figures with their reasons.

    Args:
        plan: A plan with stages.
        room: Columns beside the names.
    """
    for number, stage in enumerate(plan.stages):
        yield "stage", f"{number + 1}. {stage.name}, from {_before(plan, number)}: {_what(stage)}"
        yield "  batches", packing_words(stage.packing, stage.rows_per_step)
        if stage.saves is not None and stage.steps is not None:
            ruler = draw_ruler(stage.saves.steps, stage.steps, room)
            yield "  saves", save_words(stage.saves, several="#" in ruler)
            yield "", ruler
            yield "  at risk", risk_words(stage.saves, plan.cost.per_hour)
        yield "  takes", _takes(plan, stage)
    yield "all stages", _sum(plan)


def _before(plan: Plan, number: int) -> str:
    return "the base model" if number == 0 else f"{plan.stages[number - 1].name}'s model"


def _what(stage: StagePlan) -> str:
    adapters = f", adapters of {stage.trained / 1e6:,.1f} million parameters" if stage.has_adapters else ""
    step = f"{stage.rows_per_step} rows a step, ZeRO-{stage.zero_stage}, {stage.precision}{adapters}"
    if stage.data is None or stage.steps is None:
        return f"{stage.source}, rows unknown before it is on the machine; {step}"
    return f"{stage.source}, {stage.data.rows:,} rows ({stage.data.basis}); {stage.steps:,} steps; {step}"


def _takes(plan: Plan, stage: StagePlan) -> str:
    from cli.words import cents, duration, size

    disk = f"{size(stage.checkpoint_bytes)} a checkpoint, removed when the stage's model is done"
    if stage.seconds is None:
        return f"unknown before the data is on the machine; {disk}"
    dollars = stage.seconds / 3600 * plan.cost.per_hour
    return f"about {duration(stage.seconds)} ({cents(dollars)}, {stage.step_seconds:.1f} s a step); {disk}"


def _sum(plan: Plan) -> str:
    from cli.words import cents, duration

    known = [stage.seconds for stage in plan.stages if stage.seconds is not None]
    if len(known) < len(plan.stages) or plan.steps is None:
        return "unknown before all data is on the machine"
    saves = sum(len(stage.saves.steps) for stage in plan.stages if stage.saves is not None)
    dollars = sum(known) / 3600 * plan.cost.per_hour
    return f"{plan.steps:,} steps, {saves} saves, about {duration(sum(known))} of training ({cents(dollars)})"
