"""Make a plan: every figure once, and every reason why the run could not work, all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.plan.candidates import study_of
from runs.plan.limits import cost_of, limits_of
from runs.plan.notes import notes_of
from runs.plan.placements import price_all
from runs.plan.plan import Plan
from runs.plan.steps import rows_per_step

if TYPE_CHECKING:
    from provisioning.survey_types import Survey
    from runs.plan.candidates import Study
    from runs.plan.figures import Figures
    from runs.plan.placements import PricedPlacement
    from runs.spec.load import LoadedRunFile


def make_plan(loaded: LoadedRunFile, survey: Survey | None = None) -> Plan:
    """Plan a run from its run file, the local files that it names, and what the cloud said; no network.

    Args:
        loaded: The run file.
        survey: What the cloud said; None plans with list prices and knows no obstacle.

    Raises:
        SpecError: The run cannot work as it is; carries every reason.
    """
    study = study_of(loaded)
    placements = price_all(loaded.spec, study.candidates, survey)
    chosen = next((one for one in placements if one.obstacle is None), placements[0])
    figures = next(one.figures for one in study.candidates if one.figures.size.name == chosen.placement.size)
    return _plan(study, figures, chosen, placements, survey)


def _plan(
    study: Study,
    figures: Figures,
    chosen: PricedPlacement,
    placements: tuple[PricedPlacement, ...],
    survey: Survey | None,
) -> Plan:
    spec, work = study.work.loaded.spec, study.work
    cost = cost_of(chosen)
    return Plan(
        name=spec.name,
        cloud=spec.cloud,
        run_id=f"{spec.name}-xxxxxx",
        resource_group=f"llamalift-{spec.name}-xxxxxx",
        size=figures.size,
        processes=figures.processes,
        regions=spec.machine.regions,
        spot=spec.machine.spot,
        is_wish=spec.machine.is_wish,
        chosen=chosen,
        placements=placements,
        survey=survey,
        model=work.model,
        data=work.data,
        zero_stage=figures.config.stage,
        precision=spec.train.precision,
        rows_per_step=rows_per_step(spec.train, figures.processes),
        steps=figures.steps,
        saves=figures.saves,
        need=figures.need,
        disk=figures.disk,
        memory=figures.memory,
        time=figures.time,
        cost=cost,
        limits=limits_of(spec.limits, figures.time, cost),
        notes=(*figures.config.notes, *notes_of(spec, figures, cost, chosen.placement.region)),
    )
