"""What exists, across all kinds: in a group, or in the whole subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.resources.filters import matching, terms
from provisioning.rehearsal.arm.routing import Route
from provisioning.rehearsal.arm.world import GROUP_TYPE

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.store import Resource

_TYPE = "Microsoft.Resources/resources"
_SHOWN = ("id", "name", "type", "location", "sku", "zones", "identity", "managedBy", "tags")
# Extension resources live on a scope, not in a group, and no list shows them.
_HIDDEN = frozenset({GROUP_TYPE, "Microsoft.Authorization/roleAssignments", "Microsoft.Authorization/locks"})


def _list(call: Call, resources: list[Resource]) -> Response:
    text = call.request.query.get("$filter")
    found = matching([each for each in resources if each.type not in _HIDDEN], text)
    # With a filter on tags, ARM leaves the tags out of the answer.
    by_tag = "tagname" in terms(text)
    return Response(200, {"value": [_item(resource, with_tags=not by_tag) for resource in found]})


def _item(resource: Resource, *, with_tags: bool) -> Json:
    shown = _SHOWN if with_tags else _SHOWN[:-1]
    return {key: resource.body[key] for key in shown if resource.body.get(key)}


def _list_group(call: Call) -> Response:
    return _list(call, call.world.store.all(group=call.group().name))


def _list_subscription(call: Call) -> Response:
    return _list(call, call.world.store.all())


ROUTES = [
    Route("GET", "/subscriptions/{subscription}/resourceGroups/{group}/resources", _list_group, _TYPE),
    Route("GET", "/subscriptions/{subscription}/resources", _list_subscription, _TYPE),
]
