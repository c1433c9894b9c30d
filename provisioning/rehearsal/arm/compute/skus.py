"""The Resource SKUs list: every size with its capabilities, zones and restrictions, and the disk types.

Sources: recorded items of the real list (2020, and Standard_NC24ads_A100_v4 as of 2025) for the shape and the names of
the capabilities; Microsoft's size pages for the figures of the GPU sizes; those of the small sizes are plausible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.compute.restrictions import restrictions_of
from provisioning.rehearsal.arm.compute.sizes import SIZES, Size, zones_of
from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.regions import REGIONAL, REGIONS, normal_region
from provisioning.rehearsal.arm.resources.filters import terms
from provisioning.rehearsal.arm.resources.providers import check_registered
from provisioning.rehearsal.arm.routing import Route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.world import World

_TYPE = "Microsoft.Compute/skus"


@dataclass(frozen=True, slots=True)
class _Hardware:
    """What a size's record says beyond the quota: uncached disk speed, network cards, scratch, InfiniBand."""

    disk_iops: int
    disk_mb_per_second: int
    network_interfaces: int
    scratch_gib: int = 0
    nvme_mib: int = 0
    infiniband: bool = False


_PLAIN = _Hardware(3_750, 85, 2)
_HARDWARE = {
    "Standard_NC24ads_A100_v4": _Hardware(30_000, 1_000, 2, scratch_gib=64, nvme_mib=915_527),
    "Standard_NC48ads_A100_v4": _Hardware(60_000, 2_000, 4, scratch_gib=128, nvme_mib=1_831_054),
    "Standard_NC96ads_A100_v4": _Hardware(120_000, 4_000, 8, scratch_gib=256, nvme_mib=3_662_108),
    "Standard_ND96asr_v4": _Hardware(80_000, 800, 8, scratch_gib=6_000, infiniband=True),
    "Standard_ND96amsr_A100_v4": _Hardware(80_000, 800, 8, scratch_gib=6_400, infiniband=True),
    "Standard_NC40ads_H100_v5": _Hardware(100_000, 3_000, 2, scratch_gib=3_576),
    "Standard_NC80adis_H100_v5": _Hardware(240_000, 7_000, 4, scratch_gib=7_152),
    "Standard_ND96isr_H100_v5": _Hardware(40_800, 612, 8, scratch_gib=1_024, nvme_mib=29_360_128, infiniband=True),
    "Standard_D4s_v5": _Hardware(6_400, 145, 2),
    "Standard_D8s_v5": _Hardware(12_800, 290, 4),
    "Standard_D4as_v5": _Hardware(6_400, 144, 2),
    "Standard_L8s_v3": _Hardware(20_000, 290, 4, scratch_gib=80, nvme_mib=1_831_420),
    "Standard_B4s_v2": _Hardware(6_400, 145, 2),
    "Standard_D2s_v3": _Hardware(3_200, 48, 2, scratch_gib=16),
    "Standard_D4s_v3": _Hardware(6_400, 96, 2, scratch_gib=32),
    "Standard_B2s": _Hardware(1_280, 22, 3, scratch_gib=8),
}
# name, tier, size -> largest in GiB, IOPS, MB/s; one item of the list for each tier, as in the real one.
_DISKS = {
    ("Premium_LRS", "Premium", "P10"): (128, 500, 100),
    ("Premium_LRS", "Premium", "P20"): (512, 2_300, 150),
    ("Premium_LRS", "Premium", "P30"): (1_024, 5_000, 200),
    ("Premium_LRS", "Premium", "P40"): (2_048, 7_500, 250),
    ("Premium_LRS", "Premium", "P50"): (4_096, 7_500, 250),
    ("StandardSSD_LRS", "Standard", "E30"): (1_024, 500, 60),
    ("PremiumV2_LRS", "Premium", "P"): (65_536, 80_000, 2_000),
}


def has_local_nvme(size: str) -> bool:
    """Whether a size, by its name in any case, has NVMe disks of its own that come as bare devices."""
    known = SIZES.get(size.lower())
    return known is not None and _HARDWARE.get(known.name, _PLAIN).nvme_mib > 0


def _list(call: Call) -> Response:
    check_registered(call.world, _TYPE)
    wanted = terms(call.request.query.get("$filter"))
    if wanted.keys() - {"location"}:
        message = "The filter is not supported: only 'location' can be filtered by."
        raise ArmError(400, "InvalidParameter", message, target="$filter")
    regions = [normal_region(wanted["location"])] if "location" in wanted else REGIONS
    found: list[Json] = []
    for region in regions:
        if region in REGIONS:
            found += [_disk(region, *key) for key in _DISKS]
            found += [_size(call.world, size, region) for size in SIZES.values() if region in size.regions]
    return Response(200, {"value": found})


def _size(world: World, size: Size, region: str) -> Json:
    return {
        "resourceType": "virtualMachines",
        "name": size.name,
        "tier": "Standard",
        "size": size.name.removeprefix("Standard_"),
        "family": size.family,
        **_place(region, zones_of(size, region)),
        "capabilities": _pairs(_capabilities(size, _HARDWARE.get(size.name, _PLAIN))),
        "restrictions": restrictions_of(world, size, region),
    }


def _place(region: str, zones: tuple[str, ...]) -> Json:
    # The real list names zones in no particular order.
    info = {"location": region, "zones": list(zones[1:] + zones[:1]), "zoneDetails": []}
    return {"locations": [region], "locationInfo": [info]}


def _capabilities(size: Size, hardware: _Hardware) -> dict[str, object]:
    gpus = {"GPUs": size.gpus} if size.gpus else {}
    nvme = {"NvmeDiskSizeInMiB": hardware.nvme_mib} if hardware.nvme_mib else {}
    return {
        "MaxResourceVolumeMB": hardware.scratch_gib * 1024,
        "OSVhdSizeMB": 1_047_552,
        "vCPUs": size.vcpus,
        "MemoryPreservingMaintenanceSupported": not size.gpus,
        "HyperVGenerations": "V2" if size.gpus else "V1,V2",
        "MemoryGB": size.memory_gib,
        "MaxDataDiskCount": size.max_data_disks,
        "CpuArchitectureType": "x64",
        "LowPriorityCapable": size.spot,
        "PremiumIO": True,
        "VMDeploymentTypes": "IaaS",
        "vCPUsAvailable": size.vcpus,
        **gpus,
        "vCPUsPerCore": 1 if size.gpus else 2,
        "UncachedDiskIOPS": hardware.disk_iops,
        "UncachedDiskBytesPerSecond": hardware.disk_mb_per_second * 1_024_000,
        **nvme,
        "EphemeralOSDiskSupported": hardware.scratch_gib > 0,
        "EncryptionAtHostSupported": True,
        "CapacityReservationSupported": not size.gpus,
        "AcceleratedNetworkingEnabled": True,
        "RdmaEnabled": hardware.infiniband,
        "MaxNetworkInterfaces": hardware.network_interfaces,
        "UltraSSDAvailable": True,
    }


def _disk(region: str, name: str, tier: str, size: str) -> Json:
    most_gib, iops, mb_per_second = _DISKS[name, tier, size]
    zones = () if region in REGIONAL else ("1", "2", "3")
    limits = {"MaxSizeGiB": most_gib, "MaxIOps": iops, "MaxBandwidthMBps": mb_per_second}
    return {
        "resourceType": "disks",
        "name": name,
        "tier": tier,
        "size": size,
        **_place(region, zones),
        "capabilities": _pairs(limits),
        "restrictions": [],
    }


def _pairs(capabilities: Mapping[str, object]) -> list[Json]:
    """Names and values, all of them text: True is `True`."""
    return [{"name": name, "value": str(value)} for name, value in capabilities.items()]


ROUTES = [Route("GET", f"/subscriptions/{{subscription}}/providers/{_TYPE}", _list, _TYPE)]
