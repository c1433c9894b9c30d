"""What a cloud could have answered: surveys as values, each field of which a test may change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from provisioning.survey_types import (
    Provider,
    Quota,
    RegionOffer,
    Rights,
    SizeOffer,
    SpotPrice,
    Survey,
    Unanswered,
)
from provisioning.types import Account, ImageReference

SUBSCRIPTION = "00000000-1111-2222-3333-444444444444"
# 2026-11-25 15:00 UTC
AT = 1_795_618_800.0
A100 = "Standard_NC96ads_A100_v4"
FAMILY = "StandardNCADSA100v4Family"

_IMAGE = ImageReference("microsoft-dsvm", "ubuntu-hpc", "2404", "24.04.2026052801")


def quotas(*, family: int = 192, cores: int = 350, spot: int = 192, used: int = 0) -> tuple[Quota, ...]:
    """The limits of one region; `used` is in use of each of them."""
    return (
        Quota(FAMILY, "Standard NCADSA100v4 Family vCPUs", family, used),
        Quota("cores", "Total Regional vCPUs", cores, used),
        Quota("lowPriorityCores", "Total Regional Low-priority vCPUs", spot, used),
    )


def history(*dollars: float) -> tuple[SpotPrice, ...]:
    """Spot prices, one a week, the last one current."""
    now = datetime.fromtimestamp(AT, UTC)
    return tuple(SpotPrice(now - timedelta(weeks=len(dollars) - 1 - week), price) for week, price in enumerate(dollars))


def offer(region: str = "eastus", **values: Any) -> SizeOffer:  # noqa: ANN401  (the fields of SizeOffer)
    """Four A100 in a region where nothing stands in the way."""
    usual = SizeOffer(
        size=A100,
        region=region,
        is_offered=True,
        restriction="",
        zones=("1", "2", "3"),
        restricted_zones=(),
        vcpus=96,
        gpus=4,
        family=FAMILY,
        is_spot_capable=True,
        quotas=quotas(),
        on_demand_dollars_per_hour=14.692,
        spot_dollars_per_hour=2.72,
        eviction_band="5-10",
        spot_history=history(2.60, 2.72, 2.90, 2.72),
    )
    return replace(usual, **values)


def region(name: str = "eastus", **values: Any) -> RegionOffer:  # noqa: ANN401  (the fields of RegionOffer)
    """A region with the image and every price."""
    usual = RegionOffer(
        region=name,
        image=_IMAGE,
        disk_dollars_per_hour=0.1852,
        os_disk_dollars_per_gib_month=0.154,
        address_dollars_per_hour=0.005,
        egress_dollars_per_gib=0.087,
    )
    return replace(usual, **values)


def survey(
    *offers: SizeOffer, regions: tuple[RegionOffer, ...] | None = None, unanswered: tuple[Unanswered, ...] = ()
) -> Survey:
    """What the cloud said of some sizes and regions; by default of one size in the usual three regions."""
    offers = offers or (
        offer("eastus"),
        offer("westus3", eviction_band="0-5", spot_dollars_per_hour=2.83),
        offer("southcentralus", on_demand_dollars_per_hour=17.63, spot_dollars_per_hour=2.29),
    )
    names = dict.fromkeys(one.region for one in offers)
    return Survey(
        at=AT,
        account=Account(SUBSCRIPTION, "Pay-As-You-Go"),
        rights=Rights(may_create=True, may_assign_roles=True),
        providers=tuple(
            Provider(name, is_registered=True)
            for name in ("Microsoft.Compute", "Microsoft.Network", "Microsoft.DevTestLab")
        ),
        offers=offers,
        regions=tuple(region(name) for name in names) if regions is None else regions,
        unanswered=unanswered,
    )
