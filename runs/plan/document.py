"""A plan as plain values: what `llamalift plan --json` prints (schema 2, docs/concepts/plan.md)."""

from __future__ import annotations

import statistics
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from runs.plan.switches import switches_of
from runs.plan.verdict import counting_quotas, offer_of

if TYPE_CHECKING:
    from provisioning.survey_types import SizeOffer, Survey
    from runs.plan.placements import PricedPlacement
    from runs.plan.plan import Plan
    from runs.plan.saves import SavePlan

SCHEMA = 2
# Values of a plan that are written as they are.
_PLAIN = (
    "name", "cloud", "run_id", "resource_group", "processes", "regions", "spot", "is_wish", "zero_stage", "precision",
    "rows_per_step", "steps", "notes", "nodes", "trained",
)  # fmt: skip
_PARTS = (
    "size", "model", "data", "saves", "need", "disk", "disk_options", "memory", "time", "cost", "limits", "packing",
    "offload",
)  # fmt: skip


def plan_json(plan: Plan, *, now: float, refusal: Exception | None = None) -> dict[str, Any]:
    """Give a plan as plain values, with the sums that its parts compute.

    Args:
        plan: The plan.
        now: The time, in seconds since the epoch.
        refusal: Why it cannot become a run; None when it can.
    """
    values: dict[str, Any] = {"schema": SCHEMA} | {name: getattr(plan, name) for name in _PLAIN}
    values |= {name: _plain(getattr(plan, name)) for name in _PARTS}
    values["need"] |= {"headroom": plan.need.headroom, "total": plan.need.total}
    values["cost"] |= {
        "per_hour": plan.cost.per_hour,
        "total": plan.cost.total,
        "on_demand_total": plan.cost.on_demand_total,
    }
    values["evictions_per_hour"] = plan.evictions_per_hour
    if plan.saves:
        values["saves"] |= _saves(plan.saves, plan.cost.per_hour)
    if plan.time:
        values["time"]["total_seconds"] = plan.time.total_seconds
    if plan.memory:
        values["memory"]["taken_bytes"] = plan.memory.taken_bytes
    values["asked"] = plan.asked
    values["stages"] = [asdict(stage) | {"seconds": stage.seconds} for stage in plan.stages]
    values["chosen"] = _placement(plan.chosen, plan.survey)
    values["placements"] = [_placement(one, plan.survey) for one in plan.placements]
    values["other_way"] = [_placement(one, plan.survey) for one in plan.other_way]
    if plan.staging is not None:
        values["staging"] = asdict(plan.staging) | {"saving_dollars": plan.staging.saving_dollars}
    values["sources"] = [asdict(one) for one in plan.sources]
    values["switches"] = _switches(plan, now)
    values["cloud_said"] = _cloud_said(plan)
    values["can_be_launched"] = refusal is None
    values["refusal"] = _refusal(refusal)
    return values


def _saves(saves: SavePlan, dollars_per_hour: float) -> dict[str, Any]:
    """What the screen draws, as figures."""
    values: dict[str, Any] = {
        "count": len(saves.steps),
        "total_bytes": saves.total_bytes,
        "total_seconds": saves.total_seconds,
        "worst_loss_seconds": saves.worst_loss_seconds,
        "worst_loss_dollars": saves.worst_loss_seconds / 3600 * dollars_per_hour,
        "risks": [
            {"from_step": first, "to_step": last, "seconds": seconds, "dollars": seconds / 3600 * dollars_per_hour}
            for first, last, seconds in saves.risks
        ],
    }
    if saves.relaunching is not None:
        extra = saves.relaunching.extra_seconds / 3600 * dollars_per_hour
        values["relaunching"] = {**asdict(saves.relaunching), "extra_dollars": extra}
    return values


def _plain(part: Any) -> Any:  # noqa: ANN401  (a dataclass, a tuple of them, or None)
    if isinstance(part, tuple):
        return [_plain(one) for one in part]
    return None if part is None else asdict(part)


def _placement(one: PricedPlacement, survey: Survey | None) -> dict[str, Any]:
    values = asdict(one) | {"dollars_per_hour": one.dollars_per_hour, "dollars": one.dollars}
    values |= values.pop("placement")
    if one.obstacle is not None:
        values["obstacle"]["requests"] = [
            asdict(request) | {"new_limit": request.new_limit, "command": request.command}
            for request in one.obstacle.requests
        ]
    offer = None if survey is None else offer_of(survey, one.placement.size, one.placement.region)
    values["market"] = None if offer is None else _market(offer, spot=one.placement.spot)
    return values


def _market(offer: SizeOffer, *, spot: bool) -> dict[str, Any]:
    counting = counting_quotas(offer, spot=spot)
    return {
        "is_offered": offer.is_offered,
        "restriction": offer.restriction,
        "zones": offer.zones,
        "restricted_zones": offer.restricted_zones,
        "vcpus": offer.vcpus,
        "family": offer.family,
        "quotas": [asdict(one) | {"free": one.free, "counts": one in counting} for one in offer.quotas],
        "on_demand_dollars_per_hour": offer.on_demand_dollars_per_hour,
        "spot_dollars_per_hour": offer.spot_dollars_per_hour,
        "eviction_percent_per_hour": offer.eviction_band,
        "spot_history": _history(offer),
    }


def _history(offer: SizeOffer) -> dict[str, Any] | None:
    prices = [one.dollars_per_hour for one in offer.spot_history]
    if not prices:
        return None
    return {"least": min(prices), "median": statistics.median(prices), "most": max(prices), "prices": len(prices)}


def _switches(plan: Plan, now: float) -> dict[str, Any]:
    switches = switches_of(plan.limits, plan.survey, now)
    at = switches.backstop_at
    return {
        "ending": switches.ending.name.lower(),
        "backstop_at": None if at is None else at.isoformat(),
        "why_no_backstop": switches.why_no_backstop,
    }


def _cloud_said(plan: Plan) -> dict[str, Any] | None:
    survey = plan.survey
    if survey is None:
        return None
    return {
        "is_offline": plan.facts.is_offline,
        "account_at": plan.facts.account_at,
        "market_at": plan.facts.market_at,
        "account": asdict(survey.account),
        "rights": asdict(survey.rights),
        "providers": [asdict(one) for one in survey.providers],
        "images": {one.region: None if one.image is None else str(one.image) for one in survey.regions},
        "unanswered": [
            {"topic": one.topic, "region": one.region, "error": one.error.fact} for one in survey.unanswered
        ],
    }


def _refusal(refusal: Exception | None) -> dict[str, Any] | None:
    if refusal is None:
        return None
    problems = [asdict(problem) for problem in getattr(refusal, "problems", ())]
    return {
        "error": type(refusal).__name__,
        "fact": str(refusal),
        "hint": getattr(refusal, "hint", ""),
        "problems": problems,
    }
