"""What the PUTs of Microsoft.Network share."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.standard import checked_put_body, etag_headers, find, identity_of, new_etag
from provisioning.rehearsal.arm.store import Resource
from provisioning.rehearsal.arm.validation import check_request_body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.ids import ResourceId
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.kinds import Kind

    # Makes the `properties` of the new body from (call, id, request body, resource as it was).
    Builder: TypeAlias = Callable[[Call, ResourceId, Json, Resource | None], Json]


# What the provider adds beside `properties`.
_FIXED: Mapping[str, Json] = {"Microsoft.Network/networkInterfaces": {"kind": "Regular"}}


def put(
    call: Call, kind: Kind, build: Builder, *, top_level: tuple[str, ...] = (), asynchronous: bool = True
) -> Response:
    """Create or update a network resource; `top_level` names the keys beside `properties` that it may have."""
    group = call.living_group()
    resource_id = call.resource_id(kind.type, call.params["name"])
    existing = call.world.store.get(str(resource_id))
    body = checked_put_body(call, resource_id, existing)
    properties = build(call, resource_id, body, existing)
    guid = existing.properties["resourceGuid"] if existing else str(uuid.uuid4())
    state = "Updating" if asynchronous and existing is None else "Succeeded"
    stored = {**identity_of(resource_id), "etag": new_etag(), "location": body["location"]}
    stored |= {key: body[key] for key in ("tags", *top_level) if body.get(key) is not None}
    stored |= _FIXED.get(kind.type, {})
    stored["properties"] = {"provisioningState": state, "resourceGuid": guid, **properties}
    resource = Resource(str(resource_id), kind.type, resource_id.name, group.name, body["location"], stored)
    resource.private = existing.private if existing else {}
    call.world.store.put(resource)
    return answer_put(call, kind, resource, created=existing is None, asynchronous=asynchronous)


def answer_put(call: Call, kind: Kind, resource: Resource, *, created: bool, asynchronous: bool) -> Response:
    """201 or 200 with the body, and where to poll."""
    headers = {}
    if asynchronous:
        operation = call.world.operations.start("settle", resource.id, call.fault)
        headers = call.world.urls.network(operation, resource.region, call.api_version)
    return Response(201 if created else 200, kind.view(call.world, resource), headers)


def patch_tags(call: Call, kind: Kind) -> Response:
    """PATCH of a network resource changes tags and nothing else."""
    resource = find(call, kind)
    body = call.request.json()
    check_request_body("PATCH", kind.type, body)
    resource.body["tags"] = body.get("tags") or {}
    resource.body["etag"] = new_etag()
    call.world.store.put(resource)
    view = kind.view(call.world, resource)
    return Response(200, view, etag_headers(view))
