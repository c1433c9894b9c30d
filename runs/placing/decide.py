"""Everything that needs a choice or the time of day, chosen once for each place that is tried."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from provisioning.addresses import covers
from provisioning.errors import TransientError
from provisioning.types import ImageReference, Placement
from runs.facts import Decided

if TYPE_CHECKING:
    from provisioning.survey_types import Survey
    from runs.context import RunContext
    from runs.placing.market import Market
    from runs.plan.plan import Plan
    from runs.spec.load import LoadedRunFile


def placement_of(decided: Decided) -> Placement:
    """Where and as what the decision wants its machine."""
    return Placement(decided.region, decided.zone, decided.size, decided.spot)


def decide(context: RunContext, market: Market, place: Placement) -> Decided:
    """Decide on a place. The machine's hours count from now: nothing of it is rented yet.

    Raises:
        ProvisioningError: The account or the image cannot be found.
        SpecError: The run does not fit on that size, or nothing would end its bill.
    """
    from runs.plan.refusal import endless_bill

    spec, cloud, one = context.spec, context.cloud, market.at(place)
    account = cloud.account()
    plan = plan_at(context.loaded, place, market.survey)
    if (refusal := endless_bill(context.loaded, plan)) is not None:
        raise refusal
    image = market.image_in(place.region)
    if image is None:
        image = cloud.resolve_image(place.region, ImageReference(*spec.machine.image.split(":")))
    allowed = spec.machine.allow_from
    nodes = spec.machine.nodes
    return Decided(
        subscription_id=account.subscription_id,
        region=place.region,
        zone=place.zone,
        image=str(image),
        caller_address=cloud.caller_address() if allowed == "auto" else allowed,
        workspace_gib=plan.workspace_gib,
        size=place.size,
        spot=place.spot,
        machine_dollars_per_hour=one.machine_dollars_per_hour / nodes,
        disk_dollars_per_hour=one.disk_dollars_per_hour / nodes,
        address_dollars_per_hour=one.address_dollars_per_hour / nodes,
        price_basis=one.price_basis,
        dollars_per_hour=one.dollars_per_hour if spec.cloud == "azure" else 0.0,
        dollars_cap=plan.dollars_cap,
        deadline_at=time.time() + plan.deadline_hours * 3600,
        save_seconds=plan.save_seconds,
        evictions_per_hour=plan.evictions_per_hour,
    )


def decide_again(context: RunContext, market: Market, place: Placement, before: Decided) -> Decided:
    """Decide on another place for a run that has begun: its disk and its limits stay, prices and image are the place's.

    A place that the run file does not name (the disk of an adopted run may be anywhere) keeps the prices as they were.
    """
    if not market.knows(place):
        moved = replace(before, region=place.region, zone=place.zone, size=place.size, spot=place.spot)
        return renew(context, moved, has_machine=True)
    return replace(
        decide(context, market, place),
        workspace_gib=before.workspace_gib,
        dollars_cap=before.dollars_cap,
        deadline_at=before.deadline_at,
    )


def renew(context: RunContext, decided: Decided, *, has_machine: bool) -> Decided:
    """What may change although everything else was chosen once: our address, and the hours before any machine."""
    now = replace(decided, caller_address=caller_address(context, decided))
    if has_machine:
        return now
    # Days may have gone by: a machine rented now must not find its deadline over.
    hours = plan_at(context.loaded, placement_of(decided)).deadline_hours
    return replace(now, deadline_at=time.time() + hours * 3600)


def plan_at(loaded: LoadedRunFile, place: Placement, survey: Survey | None = None) -> Plan:
    """The run's plan for one size in one region, at the prices of the survey.

    Raises:
        SpecError: It does not fit there.
    """
    from runs.plan.make import make_plan

    there = {"size": place.size, "gpus": None, "other_sizes": (), "regions": (place.region,)}
    only = loaded.spec.machine.model_copy(update=there)
    return make_plan(replace(loaded, spec=loaded.spec.model_copy(update={"machine": only})), survey)


def caller_address(context: RunContext, decided: Decided) -> str:
    """Who may knock now: a laptop moves between networks. As before, where its address cannot be found out."""
    if context.spec.machine.allow_from != "auto":
        return decided.caller_address
    try:
        now = context.cloud.caller_address()
    except TransientError:
        return decided.caller_address
    # A wider network that `allow-me` was given stays.
    return decided.caller_address if covers(decided.caller_address, now) else now
