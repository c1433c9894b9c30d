"""Network security groups and their rules (which live inside the group's body)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError, child_not_found
from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.kinds import Kind
from provisioning.rehearsal.arm.network import common
from provisioning.rehearsal.arm.network.references import interfaces_of_group, subnets_of_group
from provisioning.rehearsal.arm.routing import Route
from provisioning.rehearsal.arm.standard import (
    accepted_headers,
    etag_headers,
    find,
    item_path,
    new_etag,
    standard_routes,
)
from provisioning.rehearsal.arm.validation import check_request_body

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.ids import ResourceId
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.store import Resource
    from provisioning.rehearsal.arm.world import World

_TYPE = "Microsoft.Network/networkSecurityGroups"
_RULES = f"{_TYPE}/securityRules"
_LOWEST_PRIORITY, _HIGHEST_PRIORITY = 4096, 100

# (name, description, source, destination, access, priority) of the rules that every group has.
_DEFAULT_RULES = (
    (
        "AllowVnetInBound",
        "Allow inbound traffic from all VMs in VNET",
        "VirtualNetwork",
        "VirtualNetwork",
        "Allow",
        65000,
    ),
    (
        "AllowAzureLoadBalancerInBound",
        "Allow inbound traffic from azure load balancer",
        "AzureLoadBalancer",
        "*",
        "Allow",
        65001,
    ),
    ("DenyAllInBound", "Deny all inbound traffic", "*", "*", "Deny", 65500),
    (
        "AllowVnetOutBound",
        "Allow outbound traffic from all VMs to all VMs in VNET",
        "VirtualNetwork",
        "VirtualNetwork",
        "Allow",
        65000,
    ),
    ("AllowInternetOutBound", "Allow outbound traffic from all VMs to Internet", "*", "Internet", "Allow", 65001),
    ("DenyAllOutBound", "Deny all outbound traffic", "*", "*", "Deny", 65500),
)
_NO_LISTS: Json = {
    "sourcePortRanges": [],
    "destinationPortRanges": [],
    "sourceAddressPrefixes": [],
    "destinationAddressPrefixes": [],
}


def _view(world: World, resource: Resource) -> Json:
    body = copy.deepcopy(resource.body)
    interfaces = [{"id": nic.id} for nic in interfaces_of_group(world, resource.id)]
    subnets = [{"id": subnet_id} for subnet_id in subnets_of_group(world, resource.id)]
    if interfaces:
        body["properties"]["networkInterfaces"] = interfaces
    if subnets:
        body["properties"]["subnets"] = subnets
    return body


def _blocker(world: World, resource: Resource) -> ArmError | None:
    users = [nic.id for nic in interfaces_of_group(world, resource.id)] + subnets_of_group(world, resource.id)
    if not users:
        return None
    message = (
        f"Network security group {resource.id} cannot be deleted because it is in use by the following resources: "
        f"{', '.join(users)}. In order to delete the Network security group, remove the association with the "
        "resource(s)."
    )
    return ArmError(400, "InUseNetworkSecurityGroupCannotBeDeleted", message, details=[])


KIND = Kind(_TYPE, rank=50, style="network", view=_view, blocker=_blocker)


def _build(_call: Call, resource_id: ResourceId, body: Json, _existing: Resource | None) -> Json:
    wanted = (body.get("properties") or {}).get("securityRules") or []
    rules = [_rule(resource_id, rule.get("name") or "", rule) for rule in wanted]
    _check_priorities(rules)
    return {
        "securityRules": rules,
        "defaultSecurityRules": [_default_rule(resource_id, row) for row in _DEFAULT_RULES],
    }


def _default_rule(group: ResourceId, row: tuple[str, str, str, str, str, int]) -> Json:
    name, description, source, destination, access, priority = row
    properties = {
        "provisioningState": "Succeeded",
        "description": description,
        "protocol": "*",
        "sourcePortRange": "*",
        "destinationPortRange": "*",
        "sourceAddressPrefix": source,
        "destinationAddressPrefix": destination,
        "access": access,
        "priority": priority,
        "direction": "Inbound" if name.endswith("InBound") else "Outbound",
        **copy.deepcopy(_NO_LISTS),
    }
    identity = {"name": name, "id": str(group.child("defaultSecurityRules", name)), "etag": new_etag()}
    return {**identity, "type": f"{_TYPE}/defaultSecurityRules", "properties": properties}


def _rule(group: ResourceId, name: str, body: Json) -> Json:
    if not name:
        raise ArmError(400, "SecurityRuleNameMissing", "Security rule name is missing.", details=[])
    properties = {"provisioningState": "Succeeded", **copy.deepcopy(_NO_LISTS), **(body.get("properties") or {})}
    if not _HIGHEST_PRIORITY <= properties["priority"] <= _LOWEST_PRIORITY:
        message = f"Security rule {name} has invalid priority. The priority must be between 100 and 4096."
        raise ArmError(400, "SecurityRuleInvalidPriority", message, details=[])
    identity = {"name": name, "id": str(group.child("securityRules", name)), "etag": new_etag()}
    return {**identity, "type": _RULES, "properties": properties}


def _check_priorities(rules: list[Json]) -> None:
    seen: dict[tuple[str, int], str] = {}
    for rule in rules:
        place = (rule["properties"]["direction"], rule["properties"]["priority"])
        if place in seen:
            message = (
                f"Security rule {rule['name']} conflicts with rule {seen[place]}. Rules cannot have the same Priority "
                "and Direction."
            )
            raise ArmError(400, "SecurityRuleConflict", message, details=[])
        seen[place] = rule["name"]


def _place(group: Resource, name: str) -> int | None:
    names = [rule["name"].lower() for rule in group.properties["securityRules"]]
    return names.index(name.lower()) if name.lower() in names else None


def _put(call: Call) -> Response:
    return common.put(call, KIND, _build)


def _list_rules(call: Call) -> Response:
    return Response(200, {"value": copy.deepcopy(find(call, KIND).properties["securityRules"])})


def _get_rule(call: Call) -> Response:
    group = find(call, KIND)
    place = _place(group, call.params["child"])
    if place is None:
        raise child_not_found(str(call.resource_id(_RULES, f"{group.name}/{call.params['child']}")))
    rule = copy.deepcopy(group.properties["securityRules"][place])
    return Response(200, rule, etag_headers(rule))


def _put_rule(call: Call) -> Response:
    call.living_group()
    group = find(call, KIND)
    body = call.request.json()
    check_request_body("PUT", _RULES, body)
    rule = _rule(call.resource_id(_TYPE, group.name), call.params["child"], body)
    place = _place(group, rule["name"])
    rules = [*group.properties["securityRules"]]
    rules[len(rules) if place is None else place : len(rules) if place is None else place + 1] = [rule]
    _check_priorities(rules)
    group.properties["securityRules"] = rules
    call.world.store.put(group)
    operation = call.world.operations.start("settle", group.id, call.fault)
    headers = call.world.urls.network(operation, group.region, call.api_version)
    return Response(201 if place is None else 200, copy.deepcopy(rule), headers)


def _delete_rule(call: Call) -> Response:
    group = find(call, KIND)
    place = _place(group, call.params["child"])
    if place is None:
        return Response(204)
    del group.properties["securityRules"][place]
    call.world.store.put(group)
    operation = call.world.operations.start("settle", group.id, call.fault)
    return Response(202, None, accepted_headers(call, KIND, operation, group.region))


_ITEM = item_path(_TYPE)
ROUTES = [
    *standard_routes(KIND),
    Route("PUT", _ITEM, _put, _TYPE),
    Route("PATCH", _ITEM, lambda call: common.patch_tags(call, KIND), _TYPE),
    Route("GET", f"{_ITEM}/securityRules", _list_rules, _TYPE),
    Route("GET", f"{_ITEM}/securityRules/{{child}}", _get_rule, _TYPE),
    Route("PUT", f"{_ITEM}/securityRules/{{child}}", _put_rule, _TYPE),
    Route("DELETE", f"{_ITEM}/securityRules/{{child}}", _delete_rule, _TYPE),
]
