"""Availability sets: the calls answer at once, and a set goes only when it is empty.

Source: the Compute API 2026-04-01, examples `availabilitySetExamples`.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.compute.references import MACHINE_TYPE
from provisioning.rehearsal.arm.errors import ArmError, property_change
from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.ids import same_id
from provisioning.rehearsal.arm.kinds import Kind
from provisioning.rehearsal.arm.routing import Route
from provisioning.rehearsal.arm.standard import checked_put_body, identity_of, item_path, standard_routes
from provisioning.rehearsal.arm.store import Resource

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.world import World

TYPE = "Microsoft.Compute/availabilitySets"


def _members(world: World, resource: Resource) -> list[Json]:
    machines = world.store.all(MACHINE_TYPE)
    inside = [
        one for one in machines if same_id((one.properties.get("availabilitySet") or {}).get("id", ""), resource.id)
    ]
    return [{"id": one.id} for one in inside]


def _view(world: World, resource: Resource) -> Json:
    body = copy.deepcopy(resource.body)
    body["properties"]["virtualMachines"] = _members(world, resource)
    return body


def _blocker(world: World, resource: Resource) -> ArmError | None:
    if not _members(world, resource):
        return None
    message = (
        f"Availability Set '{resource.name}' cannot be deleted. Before deleting an Availability Set please ensure that "
        "it does not contain any VM."
    )
    return ArmError(409, "OperationNotAllowed", message)


KIND = Kind(TYPE, rank=30, style="compute", view=_view, blocker=_blocker)


def _put(call: Call) -> Response:
    group = call.living_group()
    resource_id = call.resource_id(TYPE, call.params["name"])
    existing = call.world.store.get(str(resource_id))
    wanted = checked_put_body(call, resource_id, existing)
    properties = wanted.get("properties") or {}
    domains = {
        "platformFaultDomainCount": properties.get("platformFaultDomainCount", 2),
        "platformUpdateDomainCount": properties.get("platformUpdateDomainCount", 5),
    }
    for name, count in domains.items():
        if existing is not None and existing.properties[name] != count:
            raise property_change(f"availabilitySet.{name}")
    body = {
        **identity_of(resource_id),
        "location": wanted["location"],
        "tags": wanted.get("tags") or {},
        "sku": {"name": (wanted.get("sku") or {}).get("name", "Classic")},
        "properties": {**domains, "virtualMachines": []},
    }
    resource = Resource(str(resource_id), TYPE, resource_id.name, group.name, wanted["location"], body)
    call.world.store.put(resource)
    return Response(200, _view(call.world, resource))


def _delete(call: Call) -> Response:
    resource = call.world.store.get(str(call.resource_id(TYPE, call.params["name"])))
    if resource is None:
        return Response(204)
    if (blocker := _blocker(call.world, resource)) is not None:
        raise blocker
    call.world.store.remove(resource.id)
    return Response(200)


ROUTES = [
    *(route for route in standard_routes(KIND) if route.method != "DELETE"),
    Route("PUT", item_path(TYPE), _put, TYPE),
    Route("DELETE", item_path(TYPE), _delete, TYPE),
]
