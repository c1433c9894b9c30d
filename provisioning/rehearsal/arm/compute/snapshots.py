"""Snapshots of managed disks, and their copies to other regions, which go on long after their PUT has succeeded.

Sources: learn.microsoft.com/azure/virtual-machines, pages `disks-incremental-snapshots` and
`disks-copy-incremental-snapshot-across-regions`; the bodies follow the examples of the Compute API 2026-03-02.
"""

from __future__ import annotations

import copy
import uuid
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.compute.copies import (
    DISK_TYPE,
    SNAPSHOT_TYPE,
    WHOLE_PERCENT,
    checked_source,
    error_of,
    folder_of,
    percent_of,
    source_lost,
)
from provisioning.rehearsal.arm.compute.disks import accepted, settled
from provisioning.rehearsal.arm.errors import ArmError, property_change
from provisioning.rehearsal.arm.folders import remove_folder
from provisioning.rehearsal.arm.ids import same_id
from provisioning.rehearsal.arm.kinds import Kind
from provisioning.rehearsal.arm.operations import now_text
from provisioning.rehearsal.arm.routing import Route
from provisioning.rehearsal.arm.standard import checked_put_body, find, identity_of, item_path, standard_routes
from provisioning.rehearsal.arm.store import Resource
from provisioning.rehearsal.arm.validation import check_request_body

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.http import Response
    from provisioning.rehearsal.arm.ids import ResourceId
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.operations import Operation
    from provisioning.rehearsal.arm.world import World

_SETTLE = "settle-snapshot"
# Their snapshots are copied to standard storage before they can be used, in the same region, too.
_IN_BACKGROUND = frozenset({"premiumv2_lrs", "ultrassd_lrs"})


def _view(world: World, resource: Resource) -> Json:
    body = copy.deepcopy(resource.body)
    if "copying" in resource.private:
        body["properties"]["completionPercent"] = percent_of(world, resource)
        error = error_of(world, resource)
        if error is not None:
            body["properties"]["copyCompletionError"] = error
    return body


def _erase(world: World, resource: Resource) -> None:
    """Remove it and its bytes; a copy that was still reading it has lost its source."""
    for other in world.store.all(SNAPSHOT_TYPE):
        copying = other.private.get("copying")
        if copying is None or not same_id(copying["source"], resource.id):
            continue
        if percent_of(world, other) < WHOLE_PERCENT:
            copying |= {"error": source_lost(other), "stopped_at": world.now()}
            world.store.put(other)
    remove_folder(folder_of(world, resource))
    world.store.remove(resource.id)


KIND = Kind(SNAPSHOT_TYPE, rank=14, style="disk", view=_view, erase=_erase)


def _put(call: Call) -> Response:
    call.living_group()
    resource_id = call.resource_id(SNAPSHOT_TYPE, call.params["name"])
    existing = call.world.store.get(str(resource_id))
    wanted = checked_put_body(call, resource_id, existing)
    snapshot = _create(call.world, resource_id, wanted) if existing is None else _unchanged(existing, wanted)
    snapshot.body["tags"] = wanted.get("tags") or {}
    call.world.store.put(snapshot)
    return accepted(call, snapshot, _SETTLE, shown=("creationData", "diskSizeGB", "incremental"))


def _create(world: World, resource_id: ResourceId, wanted: Json) -> Resource:
    properties, region = wanted.get("properties") or {}, wanted["location"]
    creation = dict(properties.get("creationData") or {})
    across = str(creation.get("createOption", "")).lower() == "copystart"
    if not across and str(creation.get("createOption", "")).lower() != "copy":
        message = f"The value '{creation.get('createOption')}' of parameter 'creationData.createOption' is invalid."
        raise ArmError(400, "InvalidParameter", message, target="creationData.createOption")
    incremental = bool(properties.get("incremental"))
    if across and not incremental:
        message = "A snapshot that is created with createOption 'CopyStart' must be incremental."
        raise ArmError(400, "InvalidParameter", message, target="incremental")
    source = checked_source(world, creation, region, types=(DISK_TYPE, SNAPSHOT_TYPE))
    creation["sourceUniqueId"] = source.properties["uniqueId"]
    snapshot = _new_snapshot(resource_id, wanted, source, creation, incremental=incremental)
    snapshot.private["content_from"] = source.id
    sku = str((source.body.get("sku") or {}).get("name")).lower()
    if across or sku in _IN_BACKGROUND:
        snapshot.private["copying"] = {
            "source": source.id,
            "began_at": world.now(),
            "seconds": world.settings.snapshot_copy_seconds,
            "fails": across and region in world.settings.failing_snapshot_copies,
        }
    return snapshot


def _new_snapshot(
    resource_id: ResourceId, wanted: Json, source: Resource, creation: Json, *, incremental: bool
) -> Resource:
    sku = (wanted.get("sku") or {}).get("name") or "Standard_LRS"
    body = {**identity_of(resource_id), "location": wanted["location"], "sku": {"name": sku, "tier": "Standard"}}
    body["properties"] = {
        "creationData": creation,
        "diskSizeGB": source.properties["diskSizeGB"],
        "diskSizeBytes": source.properties["diskSizeBytes"],
        "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
        "networkAccessPolicy": "AllowAll",
        "publicNetworkAccess": "Enabled",
        "incremental": incremental,
        "timeCreated": now_text(),
        "provisioningState": "Updating",
        "diskState": "Unattached",
        "uniqueId": str(uuid.uuid4()),
    }
    if incremental:
        family = source.properties.get("incrementalSnapshotFamilyId") or str(uuid.uuid4())
        body["properties"]["incrementalSnapshotFamilyId"] = family
    return Resource(str(resource_id), SNAPSHOT_TYPE, resource_id.name, resource_id.group, wanted["location"], body)


def _unchanged(snapshot: Resource, wanted: Json) -> Resource:
    """A snapshot is what it is: asking for it again changes its tags only."""
    properties = wanted.get("properties") or {}
    creation, former = properties.get("creationData") or {}, snapshot.properties["creationData"]
    if creation.get("createOption") != former.get("createOption"):
        raise property_change("creationData.createOption")
    if not same_id(str(creation.get("sourceResourceId") or ""), str(former.get("sourceResourceId") or "")):
        raise property_change("creationData.sourceResourceId")
    return snapshot


def _patch(call: Call) -> Response:
    snapshot = find(call, KIND)
    wanted = call.request.json()
    check_request_body("PATCH", SNAPSHOT_TYPE, wanted)
    if "tags" in wanted:
        snapshot.body["tags"] = wanted["tags"] or {}
    call.world.store.put(snapshot)
    return accepted(call, snapshot, _SETTLE, shown=("creationData", "diskSizeGB", "incremental"))


def settle(world: World, operation: Operation) -> Json | None:
    """Finish a snapshot's PUT: its bytes are there, for a copy to another region once its percentage says so."""
    return settled(world, operation, _view)


ROUTES = [
    *standard_routes(KIND),
    Route("PUT", item_path(SNAPSHOT_TYPE), _put, SNAPSHOT_TYPE),
    Route("PATCH", item_path(SNAPSHOT_TYPE), _patch, SNAPSHOT_TYPE),
]
