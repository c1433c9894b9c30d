"""Resource groups, and the deletion of everything in one."""

from __future__ import annotations

import copy
import re
import time
import uuid
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError, group_not_found
from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.regions import check_region
from provisioning.rehearsal.arm.resources.filters import matching
from provisioning.rehearsal.arm.routing import Route
from provisioning.rehearsal.arm.store import Resource
from provisioning.rehearsal.arm.validation import check_request_body
from provisioning.rehearsal.arm.world import GROUP_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.kinds import Kind
    from provisioning.rehearsal.arm.operations import Operation
    from provisioning.rehearsal.arm.world import World

_RESERVATION_PAUSE_SECONDS = 0.1


def _put(call: Call) -> Response:
    body = call.request.json()
    check_request_body("PUT", GROUP_TYPE, body)
    region = check_region(body["location"], GROUP_TYPE)
    name = call.params["group"]
    existing = call.world.group(name)
    if existing is not None:
        _check_same(call, existing, region)
    stored: Json = {"id": existing.id if existing else call.world.group_id(name), "name": name, "type": GROUP_TYPE}
    stored |= {"location": region, "tags": body.get("tags") or {}, "properties": {"provisioningState": "Succeeded"}}
    call.world.store.put(Resource(stored["id"], GROUP_TYPE, existing.name if existing else name, "", region, stored))
    return Response(200 if existing else 201, copy.deepcopy(stored))


def _check_same(call: Call, existing: Resource, region: str) -> None:
    call.living_group()
    if existing.region != region:
        message = (
            f"Invalid resource group location '{region}'. The Resource group already exists in location "
            f"'{existing.region}'."
        )
        raise ArmError(409, "InvalidResourceGroupLocation", message)


def _patch(call: Call) -> Response:
    group = call.living_group()
    body = call.request.json()
    check_request_body("PATCH", GROUP_TYPE, body)
    if body.get("tags") is not None:
        group.body["tags"] = body["tags"]
    call.world.store.put(group)
    return Response(200, copy.deepcopy(group.body))


def _get(call: Call) -> Response:
    return Response(200, copy.deepcopy(call.group().body))


def _head(call: Call) -> Response:
    if call.world.group(call.params["group"]) is None:
        return Response(404, None, group_not_found("").headers)
    return Response(204)


def _list(call: Call) -> Response:
    groups = matching(call.world.store.all(GROUP_TYPE), call.request.query.get("$filter"))
    return Response(200, {"value": [copy.deepcopy(group.body) for group in groups]})


def _delete(call: Call) -> Response:
    group = call.group()
    operation = call.world.operations.running_on(group.id, "group-delete")
    if operation is None:
        group.properties["provisioningState"] = "Deleting"
        call.world.store.put(group)
        operation = call.world.operations.start("group-delete", group.id, call.fault)
    return Response(202, None, call.world.urls.group(operation, group.region, call.api_version))


def delete_everything(world: World, operation: Operation, kinds: Mapping[str, Kind]) -> None:
    """Delete a group with all that is in it, in an order in which nothing is in use when its turn comes.

    Raises:
        ArmError: 409 ResourceGroupDeletionBlocked; what could be deleted is gone, and the group is usable again.
    """
    group = world.store.get(operation.target)
    if group is None:
        return
    survivors = str(operation.scripted.get("survivors", ""))
    give_up_at = time.monotonic() + world.settings.group_patience_seconds
    while _erase_free(world, group, kinds, survivors) and time.monotonic() < give_up_at:
        # Reserved interfaces are waited out, as Azure mostly does.
        time.sleep(_RESERVATION_PAUSE_SECONDS)
    left = world.store.all(group=group.name)
    if left:
        raise _blocked(world, group, left, kinds)
    for assignment in world.store.all("Microsoft.Authorization/roleAssignments"):
        if assignment.id.lower().startswith(f"{group.id.lower()}/"):
            world.store.remove(assignment.id)
    world.store.remove(group.id)


def _erase_free(world: World, group: Resource, kinds: Mapping[str, Kind], survivors: str) -> bool:
    """Erase whatever nothing holds, in order; True while something is held for a time only."""
    held = False
    for resource in sorted(world.store.all(group=group.name), key=lambda each: kinds[each.type.lower()].rank):
        kind, current = kinds[resource.type.lower()], world.store.get(resource.id)
        if current is None or (survivors and re.search(survivors, current.id, re.IGNORECASE)):
            continue
        blocker = kind.blocker(world, current)
        if blocker is None:
            kind.erase(world, current)
        held = held or (blocker is not None and blocker.code == "NicReservedForAnotherVm")
    return held


def _blocked(world: World, group: Resource, left: list[Resource], kinds: Mapping[str, Kind]) -> ArmError:
    details = []
    for resource in left:
        reason = kinds[resource.type.lower()].blocker(world, resource)
        details.append(
            {"code": reason.code if reason else "", "target": resource.id, "message": reason.message if reason else ""}
        )
    identifiers = ",".join(f"{resource.type}/{resource.name}" for resource in left)
    message = (
        f"Deletion of resource group '{group.name}' failed as resources with identifiers '{identifiers}' could not be "
        "deleted. The provisioning state of the resource group will be rolled back. The tracking Id is "
        f"'{uuid.uuid4()}'. Please check audit logs for more details."
    )
    return ArmError(409, "ResourceGroupDeletionBlocked", message, details=details)


_ITEM = "/subscriptions/{subscription}/resourceGroups/{group}"
ROUTES = [
    Route("PUT", _ITEM, _put, GROUP_TYPE),
    Route("PATCH", _ITEM, _patch, GROUP_TYPE),
    Route("GET", _ITEM, _get, GROUP_TYPE),
    Route("HEAD", _ITEM, _head, GROUP_TYPE),
    Route("DELETE", _ITEM, _delete, GROUP_TYPE),
    Route("GET", "/subscriptions/{subscription}/resourceGroups", _list, GROUP_TYPE),
]
