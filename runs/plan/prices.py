"""What things cost on Azure: a dated snapshot, until `plan` reads live prices.

US dollars, Linux, pay as you go. GPU sizes: Retail Prices API as of 2026-06-18 (snapshot of
Azure/karpenter-provider-azure). D series, disks and addresses: public list prices of East US, rounded; estimates.
"""

from __future__ import annotations

from dataclasses import dataclass

SNAPSHOT_DATE = "2026-06-18"

HOURS_PER_MONTH = 730
PUBLIC_IP_DOLLARS_PER_HOUR = 0.005

# Managed disks are billed by provisioned GiB; premium tiers lie within 10 % of this line (P30: 135.17 for 1,024 GiB).
DISK_DOLLARS_PER_GIB_MONTH = {"Premium_LRS": 0.132, "PremiumV2_LRS": 0.081, "StandardSSD_LRS": 0.075}

_US = ("eastus", "eastus2", "westus2", "westus3")
_CENTRAL = ("southcentralus", "northcentralus", "canadacentral", "northeurope")
_EUROPE = (
    "westeurope", "swedencentral", "polandcentral", "italynorth", "spaincentral", "germanywestcentral", "westus",
    "southeastasia",
)  # fmt: skip
_A100 = "Standard_NC24ads_A100_v4", "Standard_NC48ads_A100_v4", "Standard_NC96ads_A100_v4"
_H100 = "Standard_NC40ads_H100_v5", "Standard_NC80adis_H100_v5"
_ND_A100, _ND_H100 = "Standard_ND96amsr_A100_v4", "Standard_ND96isr_H100_v5"

_TABLE: tuple[tuple[tuple[str, ...], dict[str, float]], ...] = (
    (_US, {_A100[0]: 3.673, _A100[1]: 7.346, _A100[2]: 14.692, _H100[0]: 6.98, _H100[1]: 13.96}),
    (_US, {_ND_A100: 32.77, _ND_H100: 98.32, "Standard_ND96asr_v4": 27.197}),
    (("centralus",), {_A100[0]: 4.15, _A100[1]: 8.301, _A100[2]: 16.602, _H100[0]: 8.585, _H100[1]: 17.17}),
    (("centralus",), {_ND_A100: 37.03, _ND_H100: 120.934}),
    (_CENTRAL, {_A100[0]: 4.408, _A100[1]: 8.815, _A100[2]: 17.63, _H100[0]: 8.59, _H100[1]: 17.18}),
    (("southcentralus",), {_ND_A100: 39.324, _ND_H100: 117.984}),
    (("uksouth", "francecentral"), {_A100[0]: 4.591, _A100[1]: 9.183, _A100[2]: 18.365}),
    (("uksouth",), {_H100[0]: 8.725, _H100[1]: 17.45, _ND_A100: 40.962, _ND_H100: 122.9}),
    (_EUROPE, {_A100[0]: 4.775, _A100[1]: 9.55, _A100[2]: 19.1, _H100[0]: 9.08, _H100[1]: 18.16}),
    (("japaneast", "australiaeast"), {_A100[0]: 5.326, _A100[1]: 10.652, _A100[2]: 21.303}),
    (("japaneast", "australiaeast"), {_H100[0]: 10.121, _H100[1]: 20.242, _ND_A100: 47.516, _ND_H100: 142.6}),
    (
        _US,
        {"Standard_D2s_v5": 0.096, "Standard_D4s_v5": 0.192, "Standard_D8s_v5": 0.384, "Standard_D16s_v5": 0.768},
    ),
    (_US, {"Standard_L8s_v3": 0.624}),
)


@dataclass(frozen=True, slots=True)
class Price:
    """A machine's price.

    Attributes:
        dollars_per_hour: US dollars an hour, on demand.
        is_of_region: False when the region is not in the snapshot, and the dearest known price stands in for it.
    """

    dollars_per_hour: float
    is_of_region: bool


def machine_price(size: str, region: str) -> Price:
    """Give the on-demand price of a size of the table in `runs.plan.sizes` in a region."""
    known = {place: prices[size] for places, prices in _TABLE if size in prices for place in places}
    if region in known:
        return Price(known[region], is_of_region=True)
    return Price(max(known.values()), is_of_region=False)


def disk_price(disk_type: str, gib: int) -> float:
    """Give what a disk costs in dollars an hour; it goes on while the machine is deallocated."""
    return DISK_DOLLARS_PER_GIB_MONTH[disk_type] * gib / HOURS_PER_MONTH
