"""Which questions the price feed is asked, and which of its many meters is the price that a run pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.azure.survey.disk_tiers import (
    HOURS_PER_MONTH,
    PREMIUM_V2_METER,
    SYSTEM_DISK_GIB,
    SYSTEM_DISK_METER,
    disk_meter,
)
from provisioning.azure.survey.price_feed import Meter, read_meters

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioning.azure.clients import Clients
    from provisioning.survey_types import SurveyRequest

ADDRESS_METER = "Standard IPv4 Static Public IP"
EGRESS_METER = "Standard Data Transfer Out"
# Microsoft's own network, which an address uses unless it asks for the internet's: the dearer of two such meters.
EGRESS_PRODUCT = "Rtn Preference: MGN"
# Sizes that the feed spells differently from the Resource Manager.
_FEED_NAMES = {"Standard_ND96asr_v4": "Standard_ND96asr_A100_v4"}


def ask_machine_prices(clients: Clients, request: SurveyRequest) -> tuple[Meter, ...]:
    """The meters of all sizes in all regions, with those for Windows and others that no run pays.

    Raises:
        ProvisioningError: No answer.
    """
    names = [feed_name(size) for size in request.sizes]
    return read_meters(clients, "Virtual Machines", request.regions, "armSkuName", names)


def ask_disk_prices(clients: Clients, request: SurveyRequest) -> tuple[Meter, ...]:
    """The meters of the workspace disk and of a system disk.

    Raises:
        ProvisioningError: No answer.
    """
    meters = {SYSTEM_DISK_METER, disk_meter(request.workspace_disk_type, request.workspace_gib)} - {""}
    return read_meters(clients, "Storage", request.regions, "meterName", sorted(meters))


def ask_address_prices(clients: Clients, request: SurveyRequest) -> tuple[Meter, ...]:
    """The meters of a public address.

    Raises:
        ProvisioningError: No answer.
    """
    return read_meters(clients, "Virtual Network", request.regions, "meterName", [ADDRESS_METER])


def ask_egress_prices(clients: Clients, request: SurveyRequest) -> tuple[Meter, ...]:
    """The meters of what leaves Azure for the internet.

    Raises:
        ProvisioningError: No answer.
    """
    return read_meters(clients, "Bandwidth", request.regions, "meterName", [EGRESS_METER])


def feed_name(size: str) -> str:
    """A size as the price feed spells it."""
    return _FEED_NAMES.get(size, size)


def machine_price(meters: Iterable[Meter], size: str, region: str, today: str, *, spot: bool) -> float | None:
    """Dollars per hour on Linux; None where the feed has no such meter."""
    fitting = (
        meter
        for meter in meters
        if meter.size == feed_name(size) and meter.region == region and _is_linux_machine(meter)
        if meter.sku.endswith(" Spot") == spot
    )
    return _newest(fitting, today)


def disk_price(meters: Iterable[Meter], disk_type: str, gib: int, region: str, today: str) -> float | None:
    """Dollars per hour of a disk of this type and size; it is paid for whether or not a machine runs."""
    wanted = disk_meter(disk_type, gib)
    price = _newest((meter for meter in meters if meter.region == region and meter.name == wanted), today)
    if price is None:
        return None
    return price * gib if wanted == PREMIUM_V2_METER else price / HOURS_PER_MONTH


def system_disk_price(meters: Iterable[Meter], region: str, today: str) -> float | None:
    """Dollars per GiB and month of a Premium SSD of 128 GiB."""
    fitting = (meter for meter in meters if meter.region == region and meter.name == SYSTEM_DISK_METER)
    price = _newest(fitting, today)
    return None if price is None else price / SYSTEM_DISK_GIB


def address_price(meters: Iterable[Meter], region: str, today: str) -> float | None:
    """Dollars per hour of a public address."""
    return _newest((meter for meter in meters if meter.region == region and meter.name == ADDRESS_METER), today)


def egress_price(meters: Iterable[Meter], region: str, today: str) -> float | None:
    """Dollars per GB in the first tier that is not free."""
    paid = [
        meter
        for meter in meters
        if meter.region == region and meter.product == EGRESS_PRODUCT and meter.name == EGRESS_METER and meter.dollars
    ]
    first = min((meter.above_units for meter in paid), default=0.0)
    return _newest((meter for meter in paid if meter.above_units == first), today)


def _is_linux_machine(meter: Meter) -> bool:
    """Low Priority is what spot was before 2020; Cloud Services are another product on the same sizes."""
    if meter.product.endswith((" Windows", " CloudServices", " Cloud Services")):
        return False
    return not meter.sku.endswith(" Low Priority") and not meter.name.endswith(" Low Priority")


def _newest(meters: Iterable[Meter], today: str) -> float | None:
    """The price in force: the newest that has begun; the dearer of two from the same day, to be on the safe side."""
    begun = [meter for meter in meters if meter.since <= today and meter.dollars > 0]
    return max(begun, key=lambda meter: (meter.since, meter.dollars)).dollars if begun else None
