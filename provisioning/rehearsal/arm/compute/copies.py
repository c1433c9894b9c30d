"""Disks and snapshots that are made from others: what may be copied where, and the bytes themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.folders import copy_folder

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.store import Resource
    from provisioning.rehearsal.arm.world import World

DISK_TYPE, SNAPSHOT_TYPE = "Microsoft.Compute/disks", "Microsoft.Compute/snapshots"
WHOLE_PERCENT = 100.0
# A copy that is going to fail gets so far.
_FAILS_AT_PERCENT = 40.0


def folder_of(world: World, resource: Resource) -> Path:
    """Where the bytes of a disk or a snapshot are."""
    return world.state_folder / "disks" / str(resource.properties["uniqueId"])


def checked_source(world: World, creation: Json, region: str, *, types: tuple[str, ...]) -> Resource:
    """What `creation` copies from.

    Raises:
        ArmError: It is not there, is of another type or region, or is not whole itself.
    """
    source_id = str(creation.get("sourceResourceId") or "")
    if not source_id:
        message = "Required parameter 'creationData.sourceResourceId' is missing (null)."
        raise ArmError(400, "InvalidParameter", message, target="creationData.sourceResourceId")
    source = world.store.get(source_id)
    if source is None or source.state == "Deleting":
        raise ArmError(404, "NotFound", f"Resource {source_id} not found.")
    across = str(creation["createOption"]).lower() == "copystart"
    # Issue 22370 of azure-cli: a disk as the source of a copy across regions is not what is expected there.
    if source.type not in types or (across and source.type != SNAPSHOT_TYPE):
        raise ArmError(400, "InvalidParameter", "Entity not of expected type.", target="sourceResourceId")
    if across and not source.properties.get("incremental"):
        message = "Source snapshot must be incremental when the createOption is 'CopyStart'."
        raise ArmError(400, "InvalidParameter", message, target="sourceResourceId")
    if not across and source.region != region:
        message = (
            f"The source {source.id} is in location '{source.region}', it cannot be copied to location '{region}' with "
            "createOption 'Copy'."
        )
        raise ArmError(400, "InvalidParameter", message, target="sourceResourceId")
    if percent_of(world, source) < WHOLE_PERCENT:
        message = f"The background copy of snapshot {source.name} is not completed yet."
        raise ArmError(409, "OperationNotAllowed", message, target="sourceResourceId")
    return source


def percent_of(world: World, resource: Resource) -> float:
    """How far the background copy of a resource is; 100 for what needed none."""
    copying = resource.private.get("copying")
    if copying is None:
        return WHOLE_PERCENT
    seconds = float(copying["seconds"])
    gone = (float(copying.get("stopped_at") or world.now()) - float(copying["began_at"])) / seconds if seconds else 1.0
    most = _FAILS_AT_PERCENT if copying["fails"] else WHOLE_PERCENT
    return round(max(0.0, min(most, WHOLE_PERCENT * gone)), 1)


def error_of(world: World, resource: Resource) -> Json | None:
    """Why the background copy of a resource failed, as Azure shows it; None while it goes on or when it is whole."""
    copying = resource.private.get("copying")
    if copying is None or not (copying["fails"] and percent_of(world, resource) >= _FAILS_AT_PERCENT):
        return copying.get("error") if copying else None
    return source_lost(resource)


def source_lost(resource: Resource) -> Json:
    """The only reason that the API knows for a failed copy."""
    message = f"The source of the background copy of {resource.name} is not found."
    return {"errorCode": "CopySourceNotFound", "errorMessage": message}


def fill(world: World, resource_id: str) -> None:
    """Give a new disk or snapshot the bytes of its source, once; an operation that is repeated changes nothing.

    Raises:
        ArmError: The source is gone.
    """
    with world.store.lock:
        resource = world.store.get(resource_id)
        source_id = "" if resource is None else str(resource.private.get("content_from") or "")
        source = world.store.get(source_id)
    if resource is None or not source_id:
        return
    if source is None:
        raise ArmError(404, "NotFound", f"Resource {source_id} not found.")
    copy_folder(folder_of(world, source), folder_of(world, resource))
    with world.store.lock:
        resource.private.pop("content_from", None)
        if world.store.get(resource_id) is resource:
            world.store.put(resource)
