"""The VM sizes that the rehearsal cloud offers, where, and against which quota they count.

Source: Microsoft's size pages and the family names of Azure/karpenter-provider-azure (2026-06); families are spelt as
the usages API spells them, spaces and all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.regions import REGIONAL, REGIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

_GPU_REGIONS = frozenset(REGIONS) - {"canadacentral", "spaincentral"}
_BIG_GPU_REGIONS = frozenset({"eastus", "westus2", "westus3", "southcentralus", "westeurope", "japaneast", "uksouth"})
_EVERYWHERE = frozenset(REGIONS)


@dataclass(frozen=True, slots=True)
class Size:
    """One VM size.

    Attributes:
        name: For example `Standard_NC96ads_A100_v4`.
        vcpus: Virtual processors; what quotas count.
        memory_gib: Memory in GiB.
        gpus: Number of GPUs.
        max_data_disks: Data disks that fit.
        family: Name of its quota.
        spot: Whether it can be had as spot.
        regions: Where it is offered.
    """

    name: str
    vcpus: int
    memory_gib: int
    gpus: int
    max_data_disks: int
    family: str
    spot: bool
    regions: frozenset[str]


_NCADS_A100, _NCADS_H100 = "StandardNCADSA100v4Family", "StandardNCadsH100v5Family"
_ALL = (
    Size("Standard_NC24ads_A100_v4", 24, 220, 1, 8, _NCADS_A100, spot=True, regions=_GPU_REGIONS),
    Size("Standard_NC48ads_A100_v4", 48, 440, 2, 16, _NCADS_A100, spot=True, regions=_GPU_REGIONS),
    Size("Standard_NC96ads_A100_v4", 96, 880, 4, 32, _NCADS_A100, spot=True, regions=_GPU_REGIONS),
    Size("Standard_ND96asr_v4", 96, 900, 8, 32, "Standard NDASv4_A100 Family", spot=True, regions=_BIG_GPU_REGIONS),
    Size(
        "Standard_ND96amsr_A100_v4", 96, 1900, 8, 32, "standard NDAMSv4_A100Family", spot=True, regions=_BIG_GPU_REGIONS
    ),
    Size("Standard_NC40ads_H100_v5", 40, 320, 1, 8, _NCADS_H100, spot=True, regions=_GPU_REGIONS),
    Size("Standard_NC80adis_H100_v5", 80, 640, 2, 16, _NCADS_H100, spot=True, regions=_GPU_REGIONS),
    Size("Standard_ND96isr_H100_v5", 96, 1900, 8, 32, "standardNDSH100v5Family", spot=True, regions=_BIG_GPU_REGIONS),
    Size("Standard_B2s", 2, 4, 0, 4, "standardBSFamily", spot=False, regions=_EVERYWHERE),
    Size("Standard_B2s_v2", 2, 8, 0, 4, "standardBsv2Family", spot=False, regions=_EVERYWHERE),
    Size("Standard_B4s_v2", 4, 16, 0, 8, "standardBsv2Family", spot=False, regions=_EVERYWHERE),
    Size("Standard_D2s_v3", 2, 8, 0, 4, "standardDSv3Family", spot=True, regions=_EVERYWHERE),
    Size("Standard_D4s_v3", 4, 16, 0, 8, "standardDSv3Family", spot=True, regions=_EVERYWHERE),
    Size("Standard_D2s_v5", 2, 8, 0, 4, "standardDSv5Family", spot=True, regions=_EVERYWHERE),
    Size("Standard_D4s_v5", 4, 16, 0, 8, "standardDSv5Family", spot=True, regions=_EVERYWHERE),
    Size("Standard_D8s_v5", 8, 32, 0, 16, "standardDSv5Family", spot=True, regions=_EVERYWHERE),
    Size("Standard_L8s_v3", 8, 64, 0, 16, "standardLSv3Family", spot=True, regions=_EVERYWHERE),
    Size("Standard_D2as_v5", 2, 8, 0, 4, "standardDASv5Family", spot=True, regions=_EVERYWHERE),
    Size("Standard_D4as_v5", 4, 16, 0, 8, "standardDASv5Family", spot=True, regions=_EVERYWHERE),
)
SIZES: Mapping[str, Size] = {size.name.lower(): size for size in _ALL}


def zones_of(size: Size, region: str) -> tuple[str, ...]:
    """The zones of a region that have a size; none where the region has no zones."""
    if region in REGIONAL:
        return ()
    # As the real list says of the A100 sizes there.
    return ("1", "3") if size.gpus and region == "southcentralus" else ("1", "2", "3")


# The limits of a subscription that has asked for A100s once; `cores` and `lowPriorityCores` are regional totals.
DEFAULT_LIMITS: Mapping[str, int] = {
    "cores": 350,
    "lowPriorityCores": 192,
    "virtualMachines": 25_000,
    _NCADS_A100: 192,
    _NCADS_H100: 80,
    "Standard NDASv4_A100 Family": 0,
    "standard NDAMSv4_A100Family": 96,
    "standardNDSH100v5Family": 0,
    "standardBSFamily": 100,
    "standardBsv2Family": 100,
    "standardDSv3Family": 100,
    "standardDSv5Family": 100,
    "standardDASv5Family": 100,
    "standardLSv3Family": 100,
    # Rows that the usages API lists for everyone, whether or not there is anything of the kind.
    "availabilitySets": 2_500,
    "virtualMachineScaleSets": 2_500,
    "dedicatedVCpus": 3_000,
    "standardDv3Family": 100,
    "standardNCFamily": 48,
    "standardNVFamily": 24,
}
