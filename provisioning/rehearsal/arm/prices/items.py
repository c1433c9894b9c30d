"""The items of the price feed, with those that a client must know to leave out: Windows, Low Priority, reservations."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.compute.sizes import SIZES, Size
from provisioning.rehearsal.arm.prices import tariff
from provisioning.rehearsal.arm.regions import REGIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.world import World

_SINCE = "2026-01-01T00:00:00Z"
# Plausible: a year against the same hours on demand, and each further machine on a shared disk against the first.
_RESERVED_SHARE, _MOUNT_SHARE = 0.6, 0.05
_SERVICE_FAMILIES = {
    "Virtual Machines": "Compute",
    "Storage": "Storage",
    "Virtual Network": "Networking",
    "Bandwidth": "Networking",
}
# As in the real feed, seen in September 2026.
_WITHOUT_EGRESS_METER = frozenset({"polandcentral"})
_FEED_NAMES = {"Standard_ND96asr_v4": "Standard_ND96asr_A100_v4"}
_PRODUCTS = {
    "StandardNCADSA100v4Family": "Virtual Machines NCads A100 v4 Series",
    "StandardNCadsH100v5Family": "Virtual Machines NCads H100 v5 Series",
    "Standard NDASv4_A100 Family": "Virtual Machines NDasrA100_v4 Series",
    "standard NDAMSv4_A100Family": "Virtual Machines NDamsrA100_v4 Series",
    "standardNDSH100v5Family": "Virtual Machines NDsr H100 v5 Series",
    "standardBSFamily": "Virtual Machines BS Series",
    "standardBsv2Family": "Virtual Machines Bsv2 Series",
    "standardDSv3Family": "Virtual Machines Dsv3 Series",
    "standardDSv5Family": "Virtual Machines Dsv5 Series",
    "standardDASv5Family": "Virtual Machines Dasv5 Series",
    "standardLSv3Family": "Virtual Machines Lsv3 Series",
}
# How the feed writes some regions for people.
_LOCATIONS: Mapping[str, str] = {
    "eastus": "US East",
    "eastus2": "US East 2",
    "westus": "US West",
    "westus2": "US West 2",
    "westus3": "US West 3",
    "centralus": "US Central",
    "southcentralus": "US South Central",
    "northcentralus": "US North Central",
    "westeurope": "EU West",
    "northeurope": "EU North",
    "uksouth": "UK South",
}


@dataclass(frozen=True, slots=True)
class _Thing:
    """What is sold, in the feed's words; an empty meter is called like the SKU."""

    service: str
    product: str
    sku: str
    meter: str = ""
    unit: str = "1 Hour"
    size: str = ""


def all_items(world: World) -> Iterator[Json]:
    """Every item of every region."""
    for region in REGIONS:
        for size in SIZES.values():
            if region in size.regions:
                yield from _machine_items(world, size, region)
        yield from _disk_items(region)
        yield from _network_items(region)


def _machine_items(world: World, size: Size, region: str) -> Iterator[Json]:
    meter = size.name.removeprefix("Standard_").replace("_", " ")
    linux = tariff.list_price(size.name, region)
    windows = linux + tariff.WINDOWS_DOLLARS_PER_VCPU_HOUR * size.vcpus
    spot = tariff.spot_price(world, size.name, region)
    prices = [("", "", linux), (" Windows", "", windows)]
    if size.spot:
        low = tariff.LOW_PRIORITY_SHARE
        prices += [("", " Spot", spot), (" Windows", " Spot", spot * windows / linux)]
        prices += [("", " Low Priority", linux * low), (" Windows", " Low Priority", windows * 2 * low)]
    product, name = _PRODUCTS[size.family], _FEED_NAMES.get(size.name, size.name)
    for system, kind, dollars in prices:
        machine = _Thing("Virtual Machines", f"{product}{system}", f"{meter}{kind}", size=name)
        yield _item(region, machine, dollars)
    machine = _Thing("Virtual Machines", product, meter, size=name)
    yield _item(region, machine, linux, kind="DevTestConsumption")
    year = linux * 24 * 365 * _RESERVED_SHARE
    yield {**_item(region, machine, year, kind="Reservation"), "reservationTerm": "1 Year"}


def _disk_items(region: str) -> Iterator[Json]:
    factor = tariff.region_factor(region)
    for tier, dollars in tariff.DISK_DOLLARS_PER_MONTH.items():
        product = f"{'Premium' if tier.startswith('P') else 'Standard'} SSD Managed Disks"
        for what, share in (("Disk", 1.0), ("Disk Mount", _MOUNT_SHARE)):
            disk = _Thing("Storage", product, f"{tier} LRS", f"{tier} LRS {what}", "1/Month")
            yield _item(region, disk, dollars * factor * share)
    capacity = _Thing(
        "Storage", "Azure Premium SSD v2", "Premium LRS", "Premium LRS Provisioned Capacity", "1 GiB/Hour"
    )
    yield _item(region, capacity, tariff.PREMIUM_V2_DOLLARS_PER_GIB_HOUR * factor)


def _network_items(region: str) -> Iterator[Json]:
    for sku, dollars in (("Standard", tariff.ADDRESS_DOLLARS_PER_HOUR), ("Basic", 0.0036)):
        yield _item(region, _Thing("Virtual Network", "IP Addresses", sku, f"{sku} IPv4 Static Public IP"), dollars)
    if region in _WITHOUT_EGRESS_METER:
        return
    tiers = tariff.FAR_EGRESS_TIERS if region in tariff.FAR_REGIONS else tariff.EGRESS_TIERS
    for product, share in (("Rtn Preference: MGN", 1.0), ("Bandwidth - Routing Preference: Internet", 0.92)):
        egress = _Thing("Bandwidth", product, "Standard", "Standard Data Transfer Out", "1 GB")
        for above_units, dollars in tiers:
            yield _item(region, egress, dollars * share, above_units=above_units)


def _item(region: str, thing: _Thing, dollars: float, *, above_units: int = 0, kind: str = "Consumption") -> Json:
    price, meter = round(dollars, 6), thing.meter or thing.sku
    return {
        "currencyCode": "USD",
        "tierMinimumUnits": float(above_units),
        "retailPrice": price,
        "unitPrice": price,
        "armRegionName": region,
        "location": _LOCATIONS.get(region, region),
        "effectiveStartDate": _SINCE,
        "meterId": _long_id(f"{region}/{thing.product}/{meter}"),
        "meterName": meter,
        "productId": _short_id(thing.product),
        "skuId": f"{_short_id(thing.product)}/{_short_id(thing.sku)[-4:]}",
        "availabilityId": None,
        "productName": thing.product,
        "skuName": thing.sku,
        "serviceName": thing.service,
        "serviceId": _short_id(thing.service),
        "serviceFamily": _SERVICE_FAMILIES[thing.service],
        "unitOfMeasure": thing.unit,
        "type": kind,
        "isPrimaryMeterRegion": True,
        "armSkuName": thing.size,
    }


@cache
def _long_id(text: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, text))


@cache
def _short_id(text: str) -> str:
    """An id as the feed has them; the same for the same thing."""
    return f"DZH3{uuid.uuid5(uuid.NAMESPACE_URL, text).hex[:8].upper()}"
