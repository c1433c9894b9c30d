"""From the answers of many calls to one offer per size and region."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provisioning.azure.survey.prices import (
    address_price,
    disk_price,
    egress_price,
    machine_price,
    system_disk_price,
)
from provisioning.azure.survey.quotas import quotas_for
from provisioning.azure.survey.spot_market import SpotMarket
from provisioning.survey_types import RegionOffer, SizeOffer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.azure.survey.price_feed import Meter
    from provisioning.azure.survey.sizes import SizeRecord
    from provisioning.survey_types import Quota, SurveyRequest
    from provisioning.types import ImageReference


@dataclass(frozen=True, slots=True)
class Answers:
    """What was found out; what was not asked or got no answer is missing, None or empty.

    Attributes:
        at: When, in seconds since the epoch.
        sizes: By region, then by size in lower case; None for a region without an answer.
        quotas: By region.
        images: By region.
        machine_meters: Of all sizes in all regions.
        disk_meters: Of the workspace disk and a system disk.
        address_meters: Of a public address.
        egress_meters: Of internet egress.
        spot: By size in lower case and region.
    """

    at: float
    sizes: Mapping[str, Mapping[str, SizeRecord] | None]
    quotas: Mapping[str, tuple[Quota, ...]]
    images: Mapping[str, ImageReference | None]
    machine_meters: tuple[Meter, ...]
    disk_meters: tuple[Meter, ...]
    address_meters: tuple[Meter, ...]
    egress_meters: tuple[Meter, ...]
    spot: Mapping[tuple[str, str], SpotMarket]

    @property
    def today(self) -> str:
        """When, as the price feed writes it."""
        return datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def size_offers(request: SurveyRequest, answers: Answers) -> tuple[SizeOffer, ...]:
    """One for each region and size, in the order of the request."""
    return tuple(_size_offer(answers, size, region) for region in request.regions for size in request.sizes)


def region_offers(request: SurveyRequest, answers: Answers) -> tuple[RegionOffer, ...]:
    """One for each region, in the order of the request."""
    return tuple(_region_offer(request, answers, region) for region in request.regions)


def _size_offer(answers: Answers, size: str, region: str) -> SizeOffer:
    records = answers.sizes.get(region)
    record = records.get(size.lower()) if records is not None else None
    # Where a region does not have the size, or did not answer, another one still knows what the size is.
    known = record or _anywhere(answers, size)
    family = known.family if known else ""
    market = answers.spot.get((size.lower(), region), SpotMarket())
    meters, today = answers.machine_meters, answers.today
    return SizeOffer(
        size=size,
        region=region,
        is_offered=None if records is None else record is not None and record.is_offered,
        restriction=record.restriction if record else "",
        zones=record.zones if record and record.is_offered else (),
        restricted_zones=record.restricted_zones if record else (),
        vcpus=known.vcpus if known else 0,
        gpus=known.gpus if known else 0,
        family=family,
        is_spot_capable=known.is_spot_capable if known else False,
        quotas=quotas_for(family, answers.quotas.get(region, ())),
        on_demand_dollars_per_hour=machine_price(meters, size, region, today, spot=False),
        spot_dollars_per_hour=machine_price(meters, size, region, today, spot=True),
        eviction_band=market.eviction_band,
        spot_history=market.history,
        has_infiniband=known.has_infiniband if known else None,
    )


def _anywhere(answers: Answers, size: str) -> SizeRecord | None:
    found = (records.get(size.lower()) for records in answers.sizes.values() if records is not None)
    return next((record for record in found if record is not None), None)


def _region_offer(request: SurveyRequest, answers: Answers, region: str) -> RegionOffer:
    today = answers.today
    return RegionOffer(
        region=region,
        image=answers.images.get(region),
        disk_dollars_per_hour=disk_price(
            answers.disk_meters, request.workspace_disk_type, request.workspace_gib, region, today
        ),
        os_disk_dollars_per_gib_month=system_disk_price(answers.disk_meters, region, today),
        address_dollars_per_hour=address_price(answers.address_meters, region, today),
        egress_dollars_per_gib=egress_price(answers.egress_meters, region, today),
    )
