"""What a move makes of a disk: a snapshot, its copy in another region, and the new disk; wire JSON.

Sources: learn.microsoft.com/azure/virtual-machines, pages `disks-incremental-snapshots`,
`disks-copy-incremental-snapshot-across-regions` and `disks-instant-access-snapshots`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from provisioning.azure import observed as seen

if TYPE_CHECKING:
    from provisioning.azure.clients import Clients
    from provisioning.azure.operations import Wait
    from provisioning.types import Place

_WHOLE_PERCENT = 100.0
# What a disk is besides its place and its bytes. Premium SSD v2 and Ultra disks have a speed of their own, and the size
# of their sectors must be what it was.
_KEPT = ("diskIOPSReadWrite", "diskMBpsReadWrite", "tier")
_SPEED_IS_PAID_FOR = frozenset({"premiumv2_lrs", "ultrassd_lrs"})


def snapshot_body(disk: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    """An incremental snapshot in the disk's region: only such a one can be copied to another region.

    Incremental snapshots are on standard storage, whatever the disk is on.
    """
    return _snapshot(str(disk["location"]), "Copy", disk, tags)


def copy_body(snapshot: Mapping[str, Any], region: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """The same snapshot in another region; the copy goes on after the call has succeeded."""
    return _snapshot(region, "CopyStart", snapshot, tags)


def disk_body(
    old: Mapping[str, Any], snapshot: Mapping[str, Any], to: Place, tags: Mapping[str, str]
) -> dict[str, Any]:
    """The disk that the old one becomes at another place: of the same type, size and speed."""
    sku = str(seen.value_at(old, "sku.name"))
    creation: dict[str, Any] = {"createOption": "Copy", "sourceResourceId": snapshot["id"]}
    sectors = seen.value_at(old, "properties.creationData.logicalSectorSize")
    if sectors:
        creation["logicalSectorSize"] = sectors
    properties: dict[str, Any] = {
        "creationData": creation, "diskSizeGB": seen.value_at(old, "properties.diskSizeGB"),
    }  # fmt: skip
    if sku.lower() in _SPEED_IS_PAID_FOR:
        speeds = {name: seen.value_at(old, f"properties.{name}") for name in _KEPT}
        properties |= {name: value for name, value in speeds.items() if value is not None}
    body: dict[str, Any] = {
        "location": to.region, "tags": dict(tags), "sku": {"name": sku}, "properties": properties,
    }  # fmt: skip
    if to.zone:
        body["zones"] = [to.zone]
    return body


def make_snapshot(clients: Clients, wait: Wait, group: str, name: str, body: Mapping[str, Any]) -> None:
    """Send a snapshot's body and wait until the call is over."""
    from azure.mgmt.compute.models import Snapshot

    wait(clients.compute.snapshots.begin_create_or_update(group, name, Snapshot(dict(body))))


def make_disk(clients: Clients, wait: Wait, group: str, name: str, body: Mapping[str, Any]) -> None:
    """Send a disk's body and wait until the call is over."""
    from azure.mgmt.compute.models import Disk

    wait(clients.compute.disks.begin_create_or_update(group, name, Disk(dict(body))))


def percent_of(found: Mapping[str, Any]) -> float:
    """How far the background copy of a snapshot or a disk is; 100 where there is none.

    Those of Premium SSD v2 and Ultra disks have one in the same region, too, and cannot be used before it is over.
    """
    percent = seen.value_at(found, "properties.completionPercent")
    return _WHOLE_PERCENT if percent is None else float(percent)


def is_whole(found: Mapping[str, Any]) -> bool:
    """Whether nothing is left to be copied."""
    return percent_of(found) >= _WHOLE_PERCENT


def copy_error_of(found: Mapping[str, Any]) -> tuple[str, str] | None:
    """Code and message of a background copy that failed, or None."""
    error = seen.value_at(found, "properties.copyCompletionError")
    return (str(error.get("errorCode")), str(error.get("errorMessage"))) if isinstance(error, Mapping) else None


def is_of(found: Mapping[str, Any], source: Mapping[str, Any]) -> bool:
    """Whether something was made from this disk or snapshot, and not from another one of its name, if that is told."""
    creation = seen.value_at(found, "properties.creationData") or {}
    if creation.get("sourceUniqueId"):
        return bool(creation["sourceUniqueId"] == seen.value_at(source, "properties.uniqueId"))
    return str(creation.get("sourceResourceId")).lower() == str(source["id"]).lower()


def is_older(snapshot: Mapping[str, Any], disk: Mapping[str, Any]) -> bool:
    """Whether a machine has held the disk since, and may have written on it."""
    taken, held = (
        seen.value_at(snapshot, "properties.timeCreated"),
        seen.value_at(disk, "properties.LastOwnershipUpdateTime"),
    )
    return bool(taken and held) and _moment(held) > _moment(taken)


def _moment(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(str(text)).timestamp()


def _snapshot(region: str, option: str, source: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    creation = {"createOption": option, "sourceResourceId": source["id"]}
    return {"location": region, "tags": dict(tags), "properties": {"creationData": creation, "incremental": True}}
