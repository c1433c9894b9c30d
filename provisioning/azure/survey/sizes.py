"""What the Resource SKUs API says of the VM sizes of one region, for this subscription."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provisioning.azure.errors import translated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provisioning.azure.clients import Clients


@dataclass(frozen=True, slots=True)
class SizeRecord:
    """One VM size in one region; the fields mean what those of `SizeOffer` mean."""

    is_offered: bool
    restriction: str
    zones: tuple[str, ...]
    restricted_zones: tuple[str, ...]
    vcpus: int
    gpus: int
    family: str
    is_spot_capable: bool
    has_infiniband: bool = False


def ask_sizes(clients: Clients, region: str) -> dict[str, SizeRecord]:
    """Every VM size of the region by its name in lower case. One call; the API filters by region alone.

    Raises:
        ProvisioningError: No answer.
    """
    with translated(f"list the VM sizes of {region}"):
        items = clients.compute.resource_skus.list(filter=f"location eq '{region}'")
        return {
            str(item["name"]).lower(): read_size(item, region)
            for item in items
            if item.get("resourceType") == "virtualMachines"
        }


def read_size(item: Mapping[str, Any], region: str) -> SizeRecord:
    """One item of the API's answer.

    A restriction of type `Location` means that this subscription cannot have the size here at all; one of type `Zone`
    takes away zones only, and a machine without a zone may still be had.
    """
    capabilities = {str(each["name"]): str(each["value"]) for each in item.get("capabilities") or []}
    reasons = dict(_restrictions(item, region))
    everywhere = reasons.pop("", "")
    zones = _zones(item, region)
    return SizeRecord(
        is_offered=not everywhere,
        restriction=everywhere or next(iter(reasons.values()), ""),
        zones=tuple(zone for zone in zones if zone not in reasons),
        restricted_zones=tuple(zone for zone in zones if zone in reasons),
        vcpus=int(capabilities.get("vCPUs", 0)),
        gpus=int(capabilities.get("GPUs", 0)),
        family=str(item.get("family") or ""),
        is_spot_capable=capabilities.get("LowPriorityCapable", "").lower() == "true",
        has_infiniband=capabilities.get("RdmaEnabled", "").lower() == "true",
    )


def _zones(item: Mapping[str, Any], region: str) -> list[str]:
    places = item.get("locationInfo") or []
    return sorted(
        zone
        for place in places
        if str(place.get("location", "")).lower() == region.lower()
        for zone in place.get("zones") or []
    )


def _restrictions(item: Mapping[str, Any], region: str) -> Iterator[tuple[str, str]]:
    """Each restricted zone with its reason code; an empty zone stands for the whole region."""
    for restriction in item.get("restrictions") or []:
        info = restriction.get("restrictionInfo") or {}
        where = [str(name).lower() for name in info.get("locations") or restriction.get("values") or []]
        if region.lower() not in where:
            continue
        reason = str(restriction.get("reasonCode") or "NotAvailableForSubscription")
        is_zonal = restriction.get("type") == "Zone"
        for zone in info.get("zones") or [] if is_zonal else [""]:
            yield str(zone), reason
