"""What things cost in the rehearsal cloud.

Sources: the list prices of the GPU sizes are those of the Retail Prices API in East US as of 2026-06-18, and the factor
of each region is what that snapshot gives for the A100 sizes (it holds for the H100 sizes too, but for Central US).
Disk tiers P10, P20, P30 and E30 are published prices of 2026. Everything else is plausible, no more: CPU sizes, the
other disk tiers, and all spot prices, which move on Azure anyway (a share of the list price, by the kind of GPU).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.rehearsal.arm.world import World

LIST_DOLLARS_PER_HOUR: Mapping[str, float] = {
    "Standard_NC24ads_A100_v4": 3.673,
    "Standard_NC48ads_A100_v4": 7.346,
    "Standard_NC96ads_A100_v4": 14.692,
    "Standard_ND96asr_v4": 27.197,
    "Standard_ND96amsr_A100_v4": 32.77,
    "Standard_NC40ads_H100_v5": 6.98,
    "Standard_NC80adis_H100_v5": 13.96,
    "Standard_ND96isr_H100_v5": 98.32,
    "Standard_B2s": 0.0416,
    "Standard_B2s_v2": 0.0832,
    "Standard_B4s_v2": 0.166,
    "Standard_D2s_v3": 0.096,
    "Standard_D4s_v3": 0.192,
    "Standard_D2s_v5": 0.096,
    "Standard_D4s_v5": 0.192,
    "Standard_D8s_v5": 0.384,
    "Standard_L8s_v3": 0.624,
    "Standard_D2as_v5": 0.086,
    "Standard_D4as_v5": 0.172,
}
_REGION_FACTOR: Mapping[str, float] = {
    **dict.fromkeys(("eastus", "eastus2", "westus2", "westus3"), 1.0),
    "centralus": 1.13,
    **dict.fromkeys(("southcentralus", "northcentralus", "canadacentral", "northeurope"), 1.2),
    **dict.fromkeys(("uksouth", "francecentral"), 1.25),
    **dict.fromkeys(("japaneast", "australiaeast"), 1.45),
}
_OTHER_REGIONS_FACTOR = 1.3
_H100_IN_CENTRALUS = 1.23
# Reports of 2026 name 0.68 dollars for a Standard_NC24ads_A100_v4 and 1.6 for a Standard_NC40ads_H100_v5.
_SPOT_SHARE = {"A100": 0.185, "H100": 0.23}
_SPOT_SHARE_WITHOUT_GPU = 0.2
LOW_PRIORITY_SHARE = 0.2
WINDOWS_DOLLARS_PER_VCPU_HOUR = 0.046
# Dollars per month of each tier.
DISK_DOLLARS_PER_MONTH: Mapping[str, float] = {
    "P4": 5.28,
    "P6": 10.21,
    "P10": 19.71,
    "P15": 38.02,
    "P20": 73.22,
    "P30": 135.17,
    "P40": 259.05,
    "P50": 495.57,
    "P60": 946.08,
    "P70": 1802.24,
    "P80": 3604.48,
    "E4": 2.4,
    "E6": 4.8,
    "E10": 9.6,
    "E15": 19.2,
    "E20": 38.4,
    "E30": 76.8,
    "E40": 153.6,
    "E50": 307.2,
    "E60": 614.4,
    "E70": 1228.8,
    "E80": 2457.6,
}
PREMIUM_V2_DOLLARS_PER_GIB_HOUR = 0.00011
ADDRESS_DOLLARS_PER_HOUR = 0.005
# From how many GB a month on, and dollars per GB; the first zone of the bandwidth page, and the second.
EGRESS_TIERS = ((0, 0.0), (100, 0.087), (10_335, 0.083), (51_295, 0.07), (153_695, 0.05), (512_095, 0.05))
FAR_EGRESS_TIERS = ((0, 0.0), (100, 0.12), (10_335, 0.085), (51_295, 0.082), (153_695, 0.08), (512_095, 0.08))
FAR_REGIONS = frozenset({"australiaeast", "japaneast", "southeastasia"})


def list_price(size: str, region: str) -> float:
    """Dollars per hour, on demand, on Linux."""
    factor = _REGION_FACTOR.get(region, _OTHER_REGIONS_FACTOR)
    if region == "centralus" and "H100" in size:
        factor = _H100_IN_CENTRALUS
    return round(LIST_DOLLARS_PER_HOUR[size] * factor, 4)


def spot_price(world: World, size: str, region: str) -> float:
    """Dollars per hour as spot now: what the settings say, else a share of the list price."""
    scripted = world.settings.spot_prices
    known = scripted.get(f"{size}/{region}", scripted.get(size))
    if known is not None:
        return known
    share = next((share for gpu, share in _SPOT_SHARE.items() if gpu in size), _SPOT_SHARE_WITHOUT_GPU)
    return round(list_price(size, region) * share, 4)


def region_factor(region: str) -> float:
    """How much dearer than in East US disks are."""
    return _REGION_FACTOR.get(region, _OTHER_REGIONS_FACTOR)
