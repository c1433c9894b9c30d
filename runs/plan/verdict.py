"""Judges one place by what the cloud said: can this machine be had there? Pure. What is unknown is no obstacle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.survey_types import Topic
from runs.plan.obstacles import QUOTA_PORTAL, Obstacle, QuotaRequest, Why

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.survey_types import Quota, RegionOffer, SizeOffer, Survey
    from provisioning.types import Placement

# The limits that count: a spot machine's own pool, or the family and everything in the region.
SPOT_POOL, REGIONAL_CORES = "lowprioritycores", "cores"

_ELSEWHERE = "name another place under machine.regions, or another size under machine.size or machine.other_sizes"


def offer_of(survey: Survey, size: str, region: str) -> SizeOffer | None:
    """Find what the cloud said of a size in a region; None when it was not asked."""
    wanted = size.lower()
    return next((one for one in survey.offers if one.size.lower() == wanted and one.region == region), None)


def region_of(survey: Survey, region: str) -> RegionOffer | None:
    """Find what the cloud said of a region; None when it was not asked."""
    return next((one for one in survey.regions if one.region == region), None)


def counting_quotas(offer: SizeOffer, *, spot: bool) -> tuple[Quota, ...]:
    """Give the limits that count for a machine of this offer."""
    names = {SPOT_POOL} if spot else {offer.family.lower(), REGIONAL_CORES}
    return tuple(quota for quota in offer.quotas if quota.name.lower() in names)


def obstacle_of(
    placement: Placement, survey: Survey, *, vcpus: int, max_price: float | None, nodes: int = 1
) -> Obstacle | None:
    """Say why a machine cannot be had, or None.

    Args:
        placement: The machine and the place.
        survey: What the cloud said.
        vcpus: vCPUs of the size, for when the cloud does not say.
        max_price: Most dollars an hour for a spot machine; None for no limit.
        nodes: How many machines there are to be.
    """
    offer = offer_of(survey, placement.size, placement.region)
    found = (
        [] if offer is None else list(_of_offer(placement, offer, survey, (offer.vcpus or vcpus) * nodes, max_price))
    )
    return next(iter([*found, *_of_image(placement.region, survey)]), None)


def _of_offer(
    placement: Placement, offer: SizeOffer, survey: Survey, vcpus: int, max_price: float | None
) -> Iterator[Obstacle]:
    if offer.is_offered is False:
        words = f" ({offer.restriction})" if offer.restriction else ""
        yield Obstacle(Why.NOT_OFFERED, f"the region does not offer it to this subscription{words}", _ELSEWHERE)
    if offer.is_offered and placement.spot and not offer.is_spot_capable:
        yield Obstacle(Why.SPOT, "cannot be had as spot", "set machine.spot: false in the run file")
    if offer.is_offered and placement.zone is not None and placement.zone not in offer.zones:
        yield _of_zone(placement.zone, offer)
    yield from _of_quota(placement, offer, survey.account.subscription_id, vcpus)
    now = offer.spot_dollars_per_hour
    if placement.spot and max_price is not None and now is not None and now > max_price:
        fact = f"spot costs ${now:.2f} an hour now, more than machine.max_price: {max_price:g}"
        yield Obstacle(Why.MAX_PRICE, fact, "raise machine.max_price, or leave it out")


def _of_zone(zone: str, offer: SizeOffer) -> Obstacle:
    where = f"zones {', '.join(offer.zones)}" if offer.zones else "no zone"
    kind = "is restricted for this subscription" if zone in offer.restricted_zones else "does not have it"
    return Obstacle(Why.ZONE, f"zone {zone} {kind}; it can be had in {where}", "change machine.zones in the run file")


def _of_quota(placement: Placement, offer: SizeOffer, subscription_id: str, vcpus: int) -> Iterator[Obstacle]:
    requests = tuple(
        QuotaRequest(quota.name, quota.title, offer.region, subscription_id, quota.limit, quota.used, vcpus)
        for quota in counting_quotas(offer, spot=placement.spot)
        if quota.free < vcpus
    )
    if requests:
        facts = (f"{one.name} has {max(0, one.limit - one.used)} of {one.limit} free" for one in requests)
        fact = f"{' and '.join(facts)}, needed: {vcpus}"
        commands = "\n".join(f"  {one.command}" for one in requests)
        hint = f"ask for it with (az extension add --name quota):\n{commands}\nor in the portal: {QUOTA_PORTAL}"
        yield Obstacle(Why.QUOTA, fact, hint, requests)


def _of_image(region: str, survey: Survey) -> Iterator[Obstacle]:
    offer = region_of(survey, region)
    unanswered = any(one.topic is Topic.IMAGE and one.region in ("", region) for one in survey.unanswered)
    if offer is not None and offer.image is None and Topic.IMAGE in survey.topics and not unanswered:
        yield Obstacle(Why.IMAGE, "the region does not have the image", "change machine.image or machine.regions")
