"""Which of the price feed's meters a run pays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioning.azure.survey import prices
from provisioning.azure.survey.disk_tiers import disk_meter
from provisioning.azure.survey.price_feed import Meter, one_of, read_meter

TODAY = "2026-11-25T00:00:00Z"
SIZE = "Standard_NC24ads_A100_v4"
ON_DEMAND = Meter(
    region="eastus",
    size=SIZE,
    product="Virtual Machines NCads A100 v4 Series",
    sku="NC24ads A100 v4",
    name="NC24ads A100 v4",
    unit="1 Hour",
    dollars=3.673,
    above_units=0.0,
    since="2022-06-01T00:00:00Z",
)
SPOT = replace(ON_DEMAND, sku="NC24ads A100 v4 Spot", name="NC24ads A100 v4 Spot", dollars=0.68)
NOISE = (
    replace(ON_DEMAND, product=f"{ON_DEMAND.product} Windows", dollars=4.777),
    replace(SPOT, product=f"{ON_DEMAND.product} Windows", dollars=0.9),
    replace(ON_DEMAND, sku="NC24ads A100 v4 Low Priority", name="NC24ads A100 v4 Low Priority", dollars=0.7346),
    replace(ON_DEMAND, product="NCads A100 v4 Series CloudServices", dollars=9.0),
    replace(ON_DEMAND, region="westus3", dollars=5.0),
    replace(ON_DEMAND, size="Standard_NC48ads_A100_v4", dollars=7.346),
)
DISK = replace(
    ON_DEMAND, size="", product="Premium SSD Managed Disks", sku="P30 LRS", name="P30 LRS Disk", dollars=73.0
)


def test_on_demand_and_spot_on_linux() -> None:
    """Windows, Low Priority, Cloud Services, other regions and other sizes are left out."""
    meters = [*NOISE, ON_DEMAND, SPOT]
    assert prices.machine_price(meters, SIZE, "eastus", TODAY, spot=False) == 3.673
    assert prices.machine_price(meters, SIZE, "eastus", TODAY, spot=True) == 0.68


def test_no_meter_is_no_price() -> None:
    """A size that is not sold as spot, or not here, has no price; it is not free."""
    assert prices.machine_price([*NOISE, ON_DEMAND], SIZE, "eastus", TODAY, spot=True) is None
    assert prices.machine_price([], SIZE, "eastus", TODAY, spot=False) is None
    assert prices.disk_price([], "Premium_LRS", 1024, "eastus", TODAY) is None
    assert prices.system_disk_price([], "eastus", TODAY) is None
    assert prices.egress_price([], "eastus", TODAY) is None


def test_price_in_force() -> None:
    """The newest price that has begun counts, and of two from one day the dearer."""
    newer = replace(ON_DEMAND, since="2026-10-01T00:00:00Z", dollars=3.5)
    dearer = replace(newer, dollars=3.6)
    future = replace(ON_DEMAND, since="2027-01-01T00:00:00Z", dollars=1.0)
    meters = [future, ON_DEMAND, newer, dearer]
    assert prices.machine_price(meters, SIZE, "eastus", TODAY, spot=False) == 3.6


def test_size_that_the_feed_spells_differently() -> None:
    """The A100 machine with 40 GB per GPU has another name in the feed than in the Resource Manager."""
    meter = replace(ON_DEMAND, size="Standard_ND96asr_A100_v4", dollars=27.197)
    assert prices.machine_price([meter], "Standard_ND96asr_v4", "eastus", TODAY, spot=False) == 27.197


@pytest.mark.parametrize(
    ("disk_type", "gib", "meter"),
    [
        ("Premium_LRS", 1024, "P30 LRS Disk"),
        ("Premium_LRS", 1025, "P40 LRS Disk"),
        ("Premium_LRS", 1, "P1 LRS Disk"),
        ("Premium_LRS", 32767, "P80 LRS Disk"),
        ("Premium_LRS", 32768, ""),
        ("StandardSSD_LRS", 600, "E30 LRS Disk"),
        ("PremiumV2_LRS", 600, "Premium LRS Provisioned Capacity"),
        ("Unheard_LRS", 600, ""),
    ],
)
def test_meter_of_a_disk(disk_type: str, gib: int, meter: str) -> None:
    """Tiers are rounded up; Premium SSD v2 is billed by the GiB."""
    assert disk_meter(disk_type, gib) == meter


def test_disk_by_the_month_and_by_the_gib() -> None:
    """A tier's price is for a month of 730 hours, one of Premium SSD v2 for a GiB and an hour."""
    assert prices.disk_price([DISK], "Premium_LRS", 1000, "eastus", TODAY) == pytest.approx(0.1)
    capacity = replace(DISK, name="Premium LRS Provisioned Capacity", dollars=0.0001)
    mount = replace(DISK, name="P30 LRS Disk Mount", dollars=1.0)
    assert prices.disk_price([capacity, mount], "PremiumV2_LRS", 1000, "eastus", TODAY) == pytest.approx(0.1)
    system = replace(DISK, name="P10 LRS Disk", dollars=19.2)
    assert prices.system_disk_price([DISK, system], "eastus", TODAY) == pytest.approx(0.15)


def test_egress_after_the_free_tier() -> None:
    """The first tier that costs something, on Microsoft's own network."""
    tier = replace(DISK, product="Rtn Preference: MGN", name="Standard Data Transfer Out", unit="1 GB")
    other = replace(tier, product="Bandwidth - Routing Preference: Internet", above_units=10.0, dollars=0.08)
    tiers = [
        replace(tier, above_units=above, dollars=dollars) for above, dollars in ((0, 0.0), (10335, 0.083), (100, 0.087))
    ]
    assert prices.egress_price([other, *tiers], "eastus", TODAY) == 0.087


def test_item_of_the_feed() -> None:
    """An item becomes a meter; what it leaves out is empty or zero."""
    item = {"armRegionName": "eastus", "armSkuName": SIZE, "retailPrice": 3.673, "tierMinimumUnits": 0.0}
    item |= {"productName": ON_DEMAND.product, "skuName": ON_DEMAND.sku, "meterName": ON_DEMAND.name}
    item |= {"unitOfMeasure": "1 Hour", "effectiveStartDate": ON_DEMAND.since}
    assert read_meter(item) == ON_DEMAND
    assert read_meter({}).dollars == 0.0


def test_filter_quotes_its_values() -> None:
    """A quote inside a value cannot end it."""
    assert one_of("armSkuName", ["a", "b'c"]) == "(armSkuName eq 'a' or armSkuName eq 'b''c')"
