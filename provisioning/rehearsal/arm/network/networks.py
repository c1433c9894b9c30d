"""Virtual networks and their subnets (which live inside the network's body)."""

from __future__ import annotations

import copy
import ipaddress
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError, child_not_found, resource_not_found
from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.ids import same_id
from provisioning.rehearsal.arm.kinds import Kind
from provisioning.rehearsal.arm.network import common
from provisioning.rehearsal.arm.network.references import interfaces_in_subnet
from provisioning.rehearsal.arm.routing import Route
from provisioning.rehearsal.arm.standard import etag_headers, find, item_path, new_etag, standard_routes
from provisioning.rehearsal.arm.validation import check_request_body

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.ids import ResourceId
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.store import Resource
    from provisioning.rehearsal.arm.world import World

_TYPE = "Microsoft.Network/virtualNetworks"
_SUBNETS = f"{_TYPE}/subnets"


def _view(world: World, resource: Resource) -> Json:
    body = copy.deepcopy(resource.body)
    for subnet in body["properties"]["subnets"]:
        _add_users(world, subnet)
    return body


def _add_users(world: World, subnet: Json) -> None:
    users = [{"id": f"{nic.id}/ipConfigurations/{name}"} for nic, name in interfaces_in_subnet(world, subnet["id"])]
    if users:
        subnet["properties"]["ipConfigurations"] = users


def _blocker(world: World, resource: Resource) -> ArmError | None:
    for subnet in resource.properties["subnets"]:
        in_use = _in_use(world, subnet)
        if in_use is not None:
            return in_use
    return None


def _in_use(world: World, subnet: Json) -> ArmError | None:
    for nic, name in interfaces_in_subnet(world, subnet["id"]):
        message = (
            f"Subnet {subnet['name']} is in use by {nic.id}/ipConfigurations/{name} and cannot be deleted. In order to "
            "delete the subnet, delete all the resources within the subnet. See aka.ms/deletesubnet."
        )
        return ArmError(400, "InUseSubnetCannotBeDeleted", message, details=[])
    return None


KIND = Kind(_TYPE, rank=40, style="network", view=_view, blocker=_blocker)


def _build(call: Call, resource_id: ResourceId, body: Json, existing: Resource | None) -> Json:
    wanted = body.get("properties") or {}
    prefixes = (wanted.get("addressSpace") or {}).get("addressPrefixes") or []
    if not prefixes:
        raise ArmError(400, "AddressSpaceRequired", "The virtual network needs an address space.", details=[])
    subnets = [_subnet(resource_id, subnet["name"], subnet, "Updating") for subnet in wanted.get("subnets") or []]
    for subnet in subnets:
        _check_prefix(subnet, prefixes)
    _check_none_lost(call.world, existing, subnets)
    return {
        "addressSpace": {"addressPrefixes": prefixes},
        "privateEndpointVNetPolicies": "Disabled",
        "subnets": subnets,
        "virtualNetworkPeerings": [],
        "enableDdosProtection": bool(wanted.get("enableDdosProtection", False)),
    }


def _subnet(network: ResourceId, name: str, body: Json, state: str) -> Json:
    wanted = body.get("properties") or {}
    kept = ("addressPrefix", "addressPrefixes", "defaultOutboundAccess")
    properties = {"provisioningState": state, **{key: wanted[key] for key in kept if key in wanted}}
    if wanted.get("networkSecurityGroup"):
        properties["networkSecurityGroup"] = {"id": wanted["networkSecurityGroup"]["id"]}
    properties |= {"delegations": [], "privateEndpointNetworkPolicies": "Disabled"}
    properties["privateLinkServiceNetworkPolicies"] = "Enabled"
    identity = {"name": name, "id": str(network.child("subnets", name)), "etag": new_etag()}
    return {**identity, "properties": properties, "type": _SUBNETS}


def _check_prefix(subnet: Json, space: list[str]) -> None:
    prefix = subnet["properties"].get("addressPrefix") or (subnet["properties"].get("addressPrefixes") or [""])[0]
    try:
        network = ipaddress.IPv4Network(prefix)
        inside = any(network.subnet_of(ipaddress.IPv4Network(outer)) for outer in space)
    except ValueError as error:
        raise ArmError(400, "InvalidCIDRNotation", f"The address prefix {prefix} is invalid.", details=[]) from error
    if not inside:
        message = f"Subnet '{subnet['name']}' is not valid because its IP address range is outside the network's range."
        raise ArmError(400, "NetcfgSubnetRangeOutsideVnet", message, details=[])


def _check_none_lost(world: World, existing: Resource | None, subnets: list[Json]) -> None:
    kept = {subnet["name"].lower() for subnet in subnets}
    for former in existing.properties["subnets"] if existing else []:
        in_use = _in_use(world, former)
        if former["name"].lower() not in kept and in_use is not None:
            raise in_use


def _put(call: Call) -> Response:
    return common.put(call, KIND, _build)


def _parent(call: Call) -> Resource:
    network_id = call.resource_id(_TYPE, call.params["name"])
    network = call.world.store.get(str(network_id))
    if network is None:
        raise resource_not_found(_TYPE, network_id.name, network_id.group)
    return network


def _place(network: Resource, name: str) -> int | None:
    names = [subnet["name"].lower() for subnet in network.properties["subnets"]]
    return names.index(name.lower()) if name.lower() in names else None


def _get_subnet(call: Call) -> Response:
    network = _parent(call)
    place = _place(network, call.params["child"])
    if place is None:
        raise child_not_found(str(call.resource_id(_SUBNETS, f"{network.name}/{call.params['child']}")))
    subnet = _view(call.world, network)["properties"]["subnets"][place]
    return Response(200, subnet, etag_headers(subnet))


def _list_subnets(call: Call) -> Response:
    call.group()
    return Response(200, {"value": _view(call.world, _parent(call))["properties"]["subnets"]})


def _put_subnet(call: Call) -> Response:
    call.living_group()
    network = _parent(call)
    body = call.request.json()
    check_request_body("PUT", _SUBNETS, body)
    name = call.params["child"]
    place = _place(network, name)
    subnet = _subnet(call.resource_id(_TYPE, network.name), name, body, "Updating" if place is None else "Succeeded")
    _check_prefix(subnet, network.properties["addressSpace"]["addressPrefixes"])
    if place is None:
        network.properties["subnets"].append(subnet)
    else:
        network.properties["subnets"][place] = subnet
    network.body["etag"] = new_etag()
    call.world.store.put(network)
    operation = call.world.operations.start("settle", network.id, call.fault)
    headers = call.world.urls.network(operation, network.region, call.api_version)
    return Response(201 if place is None else 200, copy.deepcopy(subnet), headers)


def _delete_subnet(call: Call) -> Response:
    network = find(call, KIND)
    place = _place(network, call.params["child"])
    if place is None:
        return Response(204)
    in_use = _in_use(call.world, network.properties["subnets"][place])
    if in_use is not None:
        raise in_use
    del network.properties["subnets"][place]
    call.world.store.put(network)
    operation = call.world.operations.start("settle", network.id, call.fault)
    location = call.world.urls.network_location(operation, network.region, call.api_version)
    return Response(
        202, None, {**call.world.urls.network(operation, network.region, call.api_version), "Location": location}
    )


def find_subnet(world: World, subnet_id: str, region: str) -> Json | None:
    """The subnet with this id, if its network is in `region`."""
    for network in world.store.all(_TYPE):
        for subnet in network.properties["subnets"]:
            if same_id(subnet["id"], subnet_id) and network.region == region:
                found: Json = subnet
                return found
    return None


_ITEM = item_path(_TYPE)
ROUTES = [
    *standard_routes(KIND),
    Route("PUT", _ITEM, _put, _TYPE),
    Route("PATCH", _ITEM, lambda call: common.patch_tags(call, KIND), _TYPE),
    Route("GET", f"{_ITEM}/subnets", _list_subnets, _TYPE),
    Route("GET", f"{_ITEM}/subnets/{{child}}", _get_subnet, _TYPE),
    Route("PUT", f"{_ITEM}/subnets/{{child}}", _put_subnet, _TYPE),
    Route("DELETE", f"{_ITEM}/subnets/{{child}}", _delete_subnet, _TYPE),
]
