"""The calls that every kind of resource answers alike: GET, list, DELETE; and the pieces that their PUTs share."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError, another_operation, resource_not_found
from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.regions import check_region
from provisioning.rehearsal.arm.routing import Route
from provisioning.rehearsal.arm.validation import check_request_body

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.ids import ResourceId
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.kinds import Kind
    from provisioning.rehearsal.arm.operations import Operation
    from provisioning.rehearsal.arm.routing import Handler
    from provisioning.rehearsal.arm.store import Resource

# Compute and network promise to call back; disks and the POSTs on machines do not.
NOTIFIED = {"Azure-AsyncNotification": "Enabled"}
_GROUP_PATH = "/subscriptions/{subscription}/resourceGroups/{group}/providers/"


def item_path(resource_type: str) -> str:
    """The path of one resource of this type."""
    return f"{_GROUP_PATH}{resource_type}/{{name}}"


def standard_routes(kind: Kind) -> list[Route]:
    """GET, both lists and DELETE of a kind."""
    everywhere = f"/subscriptions/{{subscription}}/providers/{kind.type}"
    return [
        Route("GET", item_path(kind.type), _reader(kind), kind.type),
        Route("DELETE", item_path(kind.type), _deleter(kind), kind.type),
        Route("GET", f"{_GROUP_PATH}{kind.type}", _group_lister(kind), kind.type),
        Route("GET", everywhere, _subscription_lister(kind), kind.type),
    ]


def find(call: Call, kind: Kind) -> Resource:
    """The resource that the call names.

    Raises:
        ArmError: 404 ResourceGroupNotFound or ResourceNotFound.
    """
    resource_id = call.resource_id(kind.type, call.params["name"])
    found = call.world.store.get(str(resource_id))
    if found is None:
        raise resource_not_found(kind.type, resource_id.name, resource_id.group)
    return found


def etag_headers(body: Json) -> dict[str, str]:
    """The ETag header, for kinds whose body carries one."""
    return {"ETag": body["etag"]} if "etag" in body else {}


def new_etag() -> str:
    """An entity tag as the network provider makes them."""
    return f'W/"{uuid.uuid4()}"'


def checked_put_body(call: Call, resource_id: ResourceId, existing: Resource | None) -> Json:
    """The body of a PUT once everything that all kinds ask of it holds.

    Raises:
        ArmError: 412 for a stale ETag, 400 for a body that breaks the contract, 409 for another region or while it is
            being deleted.
    """
    call.check_if_match(existing.body.get("etag", "*") if existing else None)
    body = call.request.json()
    check_request_body("PUT", resource_id.type, body)
    body["location"] = check_region(body["location"], resource_id.type)
    if existing is not None:
        check_not_busy(call, existing)
        check_same_region(existing, body["location"])
    return body


def check_same_region(existing: Resource, region: str) -> None:
    """Refuse to move a resource.

    Raises:
        ArmError: 409 InvalidResourceLocation.
    """
    if existing.region != region:
        message = (
            f"The resource '{existing.name}' already exists in location '{existing.region}' in resource group "
            f"'{existing.group}'. A resource with the same name cannot be created in location '{region}'. "
            "Please select a new resource name."
        )
        raise ArmError(409, "InvalidResourceLocation", message)


def check_not_busy(call: Call, resource: Resource) -> None:
    """Refuse to touch a resource that is being deleted.

    Raises:
        ArmError: 409 AnotherOperationInProgress.
    """
    deletion = call.world.operations.running_on(resource.id, "delete")
    if deletion is not None:
        raise another_operation(deletion.id)


def identity_of(resource_id: ResourceId) -> Json:
    """The first keys of every body."""
    return {"name": resource_id.name.rpartition("/")[2], "id": str(resource_id), "type": resource_id.type}


def _reader(kind: Kind) -> Handler:
    def read(call: Call) -> Response:
        body = kind.view(call.world, find(call, kind))
        return Response(200, body, etag_headers(body))

    return read


def _group_lister(kind: Kind) -> Handler:
    def list_group(call: Call) -> Response:
        found = call.world.store.all(kind.type, call.group().name)
        return Response(200, {"value": [kind.view(call.world, resource) for resource in found]})

    return list_group


def _subscription_lister(kind: Kind) -> Handler:
    def list_subscription(call: Call) -> Response:
        found = call.world.store.all(kind.type)
        return Response(200, {"value": [kind.view(call.world, resource) for resource in found]})

    return list_subscription


def _deleter(kind: Kind) -> Handler:
    def delete(call: Call) -> Response:
        resource_id = call.resource_id(kind.type, call.params["name"])
        resource = call.world.store.get(str(resource_id))
        if resource is None:
            return Response(204)
        call.check_if_match(resource.body.get("etag", "*"))
        blocker = kind.blocker(call.world, resource)
        if blocker is not None:
            raise blocker
        operation = call.world.operations.running_on(resource.id, "delete")
        if operation is None:
            resource.properties["provisioningState"] = "Deleting"
            call.world.store.put(resource)
            operation = call.world.operations.start("delete", resource.id, call.fault)
        notified = NOTIFIED if kind.style == "compute" else {}
        return Response(202, None, {**accepted_headers(call, kind, operation, resource.region), **notified})

    return delete


def accepted_headers(call: Call, kind: Kind, operation: Operation, region: str) -> dict[str, str]:
    """Both headers that say where a DELETE or POST is polled."""
    urls, version = call.world.urls, call.api_version
    if kind.style == "network":
        location = urls.network_location(operation, region, version)
        return {**urls.network(operation, region, version), "Location": location}
    name = "DiskOperations" if kind.style == "disk" else "operations"
    location = urls.compute_location(operation, region, version, kind=name)
    return {**urls.compute(operation, region, version, kind=name), "Location": location}
