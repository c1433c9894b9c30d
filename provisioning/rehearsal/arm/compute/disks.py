"""Managed disks. A data disk is a folder on this computer that lives exactly as long as the disk."""

from __future__ import annotations

import copy
import uuid
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.compute.copies import DISK_TYPE as TYPE
from provisioning.rehearsal.arm.compute.copies import SNAPSHOT_TYPE, checked_source, fill, folder_of
from provisioning.rehearsal.arm.compute.references import machine_of_disk
from provisioning.rehearsal.arm.errors import ArmError, property_change
from provisioning.rehearsal.arm.folders import remove_folder
from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.kinds import Kind
from provisioning.rehearsal.arm.operations import now_text
from provisioning.rehearsal.arm.regions import check_zones
from provisioning.rehearsal.arm.routing import Route
from provisioning.rehearsal.arm.standard import checked_put_body, find, identity_of, item_path, standard_routes
from provisioning.rehearsal.arm.store import Resource
from provisioning.rehearsal.arm.validation import check_request_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.ids import ResourceId
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.operations import Operation
    from provisioning.rehearsal.arm.world import World

_GIB = 1024**3
_SHOWN = ("creationData", "diskSizeGB", "diskSizeBytes")
_LARGEST_GIB = {"premiumv2_lrs": 65_536, "ultrassd_lrs": 65_536}
# Azure's least and largest throughput differ by size; these are the figures of one middling disk of each type.
_PERFORMANCE = {
    "standard_lrs": (500, 60),
    "standardssd_lrs": (500, 100),
    "premium_lrs": (5000, 200),
    "premiumv2_lrs": (3000, 125),
    "ultrassd_lrs": (3000, 125),
}


def _view(world: World, resource: Resource) -> Json:
    body = copy.deepcopy(resource.body)
    machine = machine_of_disk(world, resource.id)
    state = "Unattached"
    if machine is not None:
        body["managedBy"] = machine.id
        state = "Reserved" if machine.private.get("power") == "deallocated" else "Attached"
    body["properties"]["diskState"] = state
    return body


def _blocker(world: World, resource: Resource) -> ArmError | None:
    machine = machine_of_disk(world, resource.id)
    if machine is None:
        return None
    message = f"Disk {resource.name} is attached to VM {machine.id}."
    return ArmError(409, "OperationNotAllowed", message)


def erase(world: World, resource: Resource) -> None:
    """Remove the disk and its bytes."""
    remove_folder(folder_of(world, resource))
    world.store.remove(resource.id)


KIND = Kind(TYPE, rank=15, style="disk", view=_view, blocker=_blocker, erase=erase)


def new_disk(
    world: World,
    resource_id: ResourceId,
    *,
    region: str,
    sku: str,
    size_gib: int,
    zones: list[str],
    creation: Json,
) -> Resource:
    """Make a disk, empty unless `creation` says otherwise; without tags."""
    operations_per_second, megabytes_per_second = _PERFORMANCE.get(sku.lower(), (500, 60))
    tier = (
        "Premium" if sku.lower().startswith("premium") else "Ultra" if sku.lower().startswith("ultra") else "Standard"
    )
    body = {**identity_of(resource_id), "location": region, "sku": {"name": sku, "tier": tier}}
    if zones:
        body["zones"] = zones
    body["properties"] = {
        "creationData": creation,
        "diskSizeGB": size_gib,
        "diskIOPSReadWrite": operations_per_second,
        "diskMBpsReadWrite": megabytes_per_second,
        "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
        "networkAccessPolicy": "AllowAll",
        "publicNetworkAccess": "Enabled",
        "timeCreated": now_text(),
        "provisioningState": "Succeeded",
        "diskSizeBytes": size_gib * _GIB,
        "uniqueId": str(uuid.uuid4()),
    }
    disk = Resource(str(resource_id), TYPE, resource_id.name, resource_id.group, region, body)
    folder_of(world, disk).mkdir(parents=True, exist_ok=True)
    return disk


def _put(call: Call) -> Response:
    call.living_group()
    resource_id = call.resource_id(TYPE, call.params["name"])
    existing = call.world.store.get(str(resource_id))
    wanted = checked_put_body(call, resource_id, existing)
    disk = _create(call, resource_id, wanted) if existing is None else _update(existing, wanted)
    disk.body["tags"] = wanted.get("tags") or {}
    call.world.store.put(disk)
    return accepted(call, disk, "settle-disk", shown=_SHOWN)


def _create(call: Call, resource_id: ResourceId, wanted: Json) -> Resource:
    properties, region = wanted.get("properties") or {}, wanted["location"]
    sku = (wanted.get("sku") or {}).get("name") or "Standard_LRS"
    creation = properties.get("creationData") or {}
    if not creation:
        raise ArmError(
            400, "InvalidParameter", "Required parameter 'creationData' is missing (null).", target="creationData"
        )
    zones = wanted.get("zones") or []
    check_zones(zones, region)
    source = None
    if str(creation.get("createOption")).lower() == "copy":
        source = checked_source(call.world, creation, region, types=(TYPE, SNAPSHOT_TYPE))
        creation = {**creation, "sourceUniqueId": source.properties["uniqueId"]}
        properties = _sized_like(properties, source)
    disk = new_disk(
        call.world, resource_id, region=region, sku=sku, size_gib=_size(properties, sku), zones=zones, creation=creation
    )
    disk.properties["provisioningState"] = "Updating"
    if source is not None:
        disk.private["content_from"] = source.id
    for name in ("diskIOPSReadWrite", "diskMBpsReadWrite", "tier", "maxShares"):
        if properties.get(name) is not None:
            disk.properties[name] = properties[name]
    return disk


def _sized_like(properties: Json, source: Resource) -> Json:
    """A copy is as large as its source, or larger."""
    least = int(source.properties["diskSizeGB"])
    wanted = properties.get("diskSizeGB") or least
    if wanted < least:
        message = (
            f"Disk size {wanted} GB is smaller than the source resource size {least} GB. The disk size can only be "
            "increased."
        )
        raise ArmError(400, "InvalidParameter", message, target="diskSizeGB")
    return {**properties, "diskSizeGB": wanted}


def _size(properties: Json, sku: str) -> int:
    size_gib = properties.get("diskSizeGB")
    if size_gib is None:
        message = "Required parameter 'disk.diskSizeGB' is missing (null)."
        raise ArmError(400, "InvalidParameter", message, target="disk.diskSizeGB")
    largest = _LARGEST_GIB.get(sku.lower(), 32_767)
    if not 1 <= size_gib <= largest:
        message = (
            f"The value '{size_gib}' of parameter 'disk.diskSizeGB' is out of range. The value must be between '1' and "
            f"'{largest}' inclusive."
        )
        raise ArmError(400, "InvalidParameter", message, target="disk.diskSizeGB")
    return int(size_gib)


def _update(disk: Resource, wanted: Json) -> Resource:
    if "zones" in wanted and (disk.body.get("zones") or []) != (wanted.get("zones") or []):
        raise property_change("zones")
    properties = wanted.get("properties") or {}
    creation = properties.get("creationData") or disk.properties["creationData"]
    if creation.get("createOption") != disk.properties["creationData"].get("createOption"):
        raise property_change("creationData.createOption")
    size_gib = properties.get("diskSizeGB")
    if size_gib is not None:
        _resize(disk, int(size_gib))
    sku = (wanted.get("sku") or {}).get("name")
    if sku is not None:
        disk.body["sku"]["name"] = sku
    return disk


def _resize(disk: Resource, size_gib: int) -> None:
    former = int(disk.properties["diskSizeGB"])
    if size_gib < former:
        message = f"New size {size_gib} of disk {disk.name} cannot be smaller than its current size {former}."
        raise ArmError(409, "OperationNotAllowed", message, target="diskSizeGB")
    _size({"diskSizeGB": size_gib}, str(disk.body["sku"]["name"]))
    disk.properties.update({"diskSizeGB": size_gib, "diskSizeBytes": size_gib * _GIB})


def _patch(call: Call) -> Response:
    disk = find(call, KIND)
    wanted = call.request.json()
    check_request_body("PATCH", TYPE, wanted)
    _update(disk, wanted)
    if "tags" in wanted:
        disk.body["tags"] = wanted["tags"] or {}
    call.world.store.put(disk)
    return accepted(call, disk, "settle-disk", shown=_SHOWN)


def accepted(call: Call, disk: Resource, action: str, *, shown: tuple[str, ...]) -> Response:
    """The answer to a PUT or PATCH of a disk or a snapshot, whose operation it starts."""
    operation = call.world.operations.start(action, disk.id, call.fault)
    version = call.api_version
    urls = call.world.urls
    headers = urls.compute(operation, disk.region, version, kind="DiskOperations")
    headers["Location"] = urls.compute_location(operation, disk.region, version, kind="DiskOperations")
    properties = {key: disk.properties[key] for key in shown}
    identity = {key: disk.body[key] for key in ("name", "id", "type", "location")}
    return Response(202, {**identity, "properties": {**properties, "provisioningState": "Updating"}}, headers)


def settle(world: World, operation: Operation) -> Json | None:
    """Finish a disk's PUT: the operation's output is the disk itself, with the bytes of what it was made from."""
    return settled(world, operation, _view)


def settled(world: World, operation: Operation, view: Callable[[World, Resource], Json]) -> Json | None:
    """Finish the PUT of a disk or a snapshot, which has its bytes now; None when it was deleted meanwhile."""
    fill(world, operation.target)
    with world.store.lock:
        resource = world.store.get(operation.target)
        if resource is None:
            return None
        resource.properties["provisioningState"] = "Succeeded"
        world.store.put(resource)
        return view(world, resource)


ROUTES = [
    *standard_routes(KIND),
    Route("PUT", item_path(TYPE), _put, TYPE),
    Route("PATCH", item_path(TYPE), _patch, TYPE),
]
