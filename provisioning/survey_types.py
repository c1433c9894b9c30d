"""What a cloud says about a wish before anything is created: offers, limits, prices, rights; no verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from provisioning.errors import ProvisioningError
    from provisioning.types import Account, ImageReference


class Topic(StrEnum):
    """One kind of question; the value is the word that the user reads."""

    PROVIDERS = "resource providers"
    RIGHTS = "rights"
    SIZES = "sizes"
    QUOTA = "quota"
    IMAGE = "image"
    PRICES = "prices"
    SPOT = "spot market"


EVERYTHING = frozenset(Topic)
# What tells a hopeless region from one that is worth a try: two calls per region, nothing else.
HEADROOM = frozenset({Topic.SIZES, Topic.QUOTA})


@dataclass(frozen=True, slots=True)
class SurveyRequest:
    """What to ask about.

    Attributes:
        sizes: VM sizes.
        regions: Azure regions.
        image: The image, its version may be `latest`.
        workspace_gib: Size of the workspace disk in GiB.
        workspace_disk_type: Its type, for example `Premium_LRS`.
        topics: What to ask; the answers of other topics stay empty and are not counted as unanswered.
    """

    sizes: tuple[str, ...]
    regions: tuple[str, ...]
    image: ImageReference
    workspace_gib: int
    workspace_disk_type: str
    topics: frozenset[Topic] = EVERYTHING


@dataclass(frozen=True, slots=True)
class Quota:
    """One limit of the subscription in one region, counted in vCPUs unless the name says otherwise.

    Attributes:
        name: As the usages API spells it, for example `StandardNCADSA100v4Family`, `cores`, `lowPriorityCores`.
        title: As people read it, for example `Total Regional vCPUs`.
        limit: Most that may be used.
        used: In use now.
    """

    name: str
    title: str
    limit: int
    used: int

    @property
    def free(self) -> int:
        """What is left; never below zero."""
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class SpotPrice:
    """What spot cost from a moment on."""

    since: datetime
    dollars_per_hour: float


@dataclass(frozen=True, slots=True)
class SizeOffer:
    """One VM size in one region.

    Attributes:
        size: VM size.
        region: Azure region.
        is_offered: Whether the region has it for this subscription at all; None when that got no answer. It stays True
            when only zones are restricted: a machine without a zone may still be had.
        restriction: Why not, or why not in `restricted_zones`, as Azure codes it (`NotAvailableForSubscription`,
            `QuotaId`: the subscription's kind of offer has no right to it); empty without one.
        zones: Zones in which it can be had (logical, per subscription); empty where there are none.
        restricted_zones: Zones in which it exists and this subscription may not have it.
        vcpus: Virtual processors, which quotas count; 0 when unknown.
        gpus: Number of GPUs; 0 when there are none, or unknown.
        family: Name of its quota, as the usages API spells it; empty when unknown.
        is_spot_capable: Whether it can be had as spot.
        quotas: The limits that count for it: its family, `cores` and `lowPriorityCores`, as far as they are known.
        on_demand_dollars_per_hour: Pay-as-you-go price on Linux; None when no price was found.
        spot_dollars_per_hour: Spot price now; None when there is none.
        eviction_band: Share of spot machines evicted in an hour, as Azure bands it (`0-5` ... `20+` per cent); empty
            when unknown.
        spot_history: Spot prices of the last 90 days, oldest first; empty when unknown.
        has_infiniband: Whether its machines reach each other by InfiniBand (Azure's `RdmaEnabled`); None when unknown.
    """

    size: str
    region: str
    is_offered: bool | None
    restriction: str
    zones: tuple[str, ...]
    restricted_zones: tuple[str, ...]
    vcpus: int
    gpus: int
    family: str
    is_spot_capable: bool
    quotas: tuple[Quota, ...]
    on_demand_dollars_per_hour: float | None
    spot_dollars_per_hour: float | None
    eviction_band: str
    spot_history: tuple[SpotPrice, ...]
    has_infiniband: bool | None = None


@dataclass(frozen=True, slots=True)
class RegionOffer:
    """What does not depend on the size.

    Attributes:
        region: Azure region.
        image: The image with its exact version; None when the region does not have it.
        disk_dollars_per_hour: The workspace disk; None when no price was found.
        os_disk_dollars_per_gib_month: Premium SSD for the system disk; None when no price was found.
        address_dollars_per_hour: One Standard static public address; None when no price was found.
        egress_dollars_per_gib: Internet egress after the free 100 GB a month; None when no price was found.
    """

    region: str
    image: ImageReference | None
    disk_dollars_per_hour: float | None
    os_disk_dollars_per_gib_month: float | None
    address_dollars_per_hour: float | None
    egress_dollars_per_gib: float | None


@dataclass(frozen=True, slots=True)
class Provider:
    """A resource provider of the subscription; `is_registered` False means that the first use must register it."""

    namespace: str
    is_registered: bool


@dataclass(frozen=True, slots=True)
class Rights:
    """What the caller may do in the subscription; None when it cannot be found out."""

    may_create: bool | None
    may_assign_roles: bool | None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question that got no answer; the rest of the survey stands without it.

    Attributes:
        topic: What was asked.
        region: Where; empty when it does not depend on a region.
        error: Why there is no answer.
    """

    topic: Topic
    region: str
    error: ProvisioningError


@dataclass(frozen=True, slots=True)
class Survey:
    """All answers.

    Attributes:
        at: When they were given, in seconds since the epoch.
        account: Who pays.
        rights: What the caller may do.
        providers: The resource providers that a run uses.
        offers: One for each size and region of the request, regions first, in its order.
        regions: One for each region, in the order of the request.
        unanswered: What could not be found out.
        topics: What was asked: of other topics nothing is known.
    """

    at: float
    account: Account
    rights: Rights
    providers: tuple[Provider, ...]
    offers: tuple[SizeOffer, ...]
    regions: tuple[RegionOffer, ...]
    unanswered: tuple[Unanswered, ...]
    topics: frozenset[Topic] = EVERYTHING
