"""Make a plan: every figure once, and every reason why the run could not work, all at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runs.plan.after_estimate import after_words
from runs.plan.candidates import study_of
from runs.plan.disk_options import disk_options
from runs.plan.facts import NOTHING, Facts
from runs.plan.limits import cost_of, limits_of
from runs.plan.notes import notes_of
from runs.plan.notes_cloud import cloud_notes
from runs.plan.notes_nodes import nodes_notes
from runs.plan.placements import price_all
from runs.plan.plan import Plan
from runs.plan.saves import evictions_per_hour
from runs.plan.stage_figures import run_saves
from runs.plan.stage_plan import stage_plans
from runs.plan.staging import staging_notes, staging_of
from runs.plan.steps import rows_per_step

if TYPE_CHECKING:
    from provisioning.survey_types import Survey
    from runs.plan.candidates import Study
    from runs.plan.placements import PricedPlacement
    from runs.spec.load import LoadedRunFile


def make_plan(loaded: LoadedRunFile, survey: Survey | None = None, *, facts: Facts | None = None) -> Plan:
    """Plan a run from its run file, the local files that it names, and what the cloud said; no network.

    Args:
        loaded: The run file.
        survey: What the cloud said; None plans with list prices and knows no obstacle.
        facts: The same with its age, instead of `survey`.

    Raises:
        SpecError: The run cannot work as it is; carries every reason.
    """
    known = facts or (NOTHING if survey is None else Facts(survey, survey.at, survey.at))
    spec, study = loaded.spec, study_of(loaded)
    placements = price_all(spec, study.candidates, known.survey)
    chosen = next((one for one in placements if one.obstacle is None), placements[0])
    other_way = price_all(spec, study.candidates, known.survey, spot=not spec.machine.spot)
    plan = _plan(study, known, chosen, placements, other_way)
    staging = staging_of(spec, plan)
    return replace(plan, staging=staging, notes=(*plan.notes, *staging_notes(spec, staging)))


def _plan(
    study: Study,
    known: Facts,
    chosen: PricedPlacement,
    placements: tuple[PricedPlacement, ...],
    other_way: tuple[PricedPlacement, ...],
) -> Plan:
    spec, cost = study.work.loaded.spec, cost_of(chosen)
    found = next(one.figures for one in study.candidates if one.figures.size.name == chosen.placement.size)
    rate = evictions_per_hour(spec, chosen.placement, known.survey)
    figures = run_saves(study.work, found, rate)
    notes = (
        *figures.config.notes,
        *notes_of(spec, figures, cost, chosen.placement.region),
        *nodes_notes(spec, figures, chosen.placement, known.survey),
        *cloud_notes(known, chosen, placements, figures.saves, is_wish=spec.machine.is_wish),
    )
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
        other_way=other_way,
        facts=known,
        model=study.work.model,
        data=study.work.data,
        zero_stage=figures.config.stage,
        precision=spec.train.precision,
        rows_per_step=rows_per_step(spec.train, figures.processes),
        steps=figures.steps,
        saves=figures.saves,
        need=figures.need,
        disk=figures.disk,
        disk_options=disk_options(figures, cost.machine_per_hour, spec.machine.nodes),
        memory=figures.memory,
        time=figures.time,
        cost=cost,
        limits=limits_of(spec.limits, figures.time, cost),
        notes=notes,
        evictions_per_hour=rate,
        packing=figures.packing,
        trained=figures.trained,
        offload=figures.offload,
        stages=stage_plans(study.work, figures),
        asked=after_words(study.work),
        nodes=spec.machine.nodes,
    )
