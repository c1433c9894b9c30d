"""Public addresses: on the rehearsal cloud, loopback addresses."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.addresses import free_address
from provisioning.rehearsal.arm.errors import ArmError, property_change
from provisioning.rehearsal.arm.kinds import Kind
from provisioning.rehearsal.arm.network import common
from provisioning.rehearsal.arm.network.references import interface_of_address
from provisioning.rehearsal.arm.regions import check_zones
from provisioning.rehearsal.arm.routing import Route
from provisioning.rehearsal.arm.standard import item_path, standard_routes

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.http import Response
    from provisioning.rehearsal.arm.ids import ResourceId
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.store import Resource
    from provisioning.rehearsal.arm.world import World

TYPE = "Microsoft.Network/publicIPAddresses"


def _view(world: World, resource: Resource) -> Json:
    body = copy.deepcopy(resource.body)
    holder = interface_of_address(world, resource.id)
    if holder is not None:
        body["properties"]["ipConfiguration"] = {"id": f"{holder[0].id}/ipConfigurations/{holder[1]}"}
    return body


def _blocker(world: World, resource: Resource) -> ArmError | None:
    holder = interface_of_address(world, resource.id)
    if holder is None:
        return None
    message = (
        f"Public IP address {resource.id} can not be deleted since it is still allocated to resource "
        f"{holder[0].id}/ipConfigurations/{holder[1]}. In order to delete the public IP, disassociate/detach the "
        "Public IP address from the resource."
    )
    return ArmError(400, "PublicIPAddressCannotBeDeleted", message, details=[])


KIND = Kind(TYPE, rank=20, style="network", view=_view, blocker=_blocker)


def _build(call: Call, _resource_id: ResourceId, body: Json, existing: Resource | None) -> Json:
    wanted = body.get("properties") or {}
    _check_sku(body, wanted)
    zones = body.get("zones") or []
    check_zones(zones, body["location"])
    if existing is not None and (existing.body.get("zones") or []) != zones:
        raise property_change("zones")
    address = existing.properties["ipAddress"] if existing else free_address(call.world.store)
    return {
        "ipAddress": address,
        "publicIPAddressVersion": wanted.get("publicIPAddressVersion", "IPv4"),
        "publicIPAllocationMethod": wanted["publicIPAllocationMethod"],
        "idleTimeoutInMinutes": wanted.get("idleTimeoutInMinutes", 4),
        "ipTags": wanted.get("ipTags") or [],
        **({"dnsSettings": wanted["dnsSettings"]} if wanted.get("dnsSettings") else {}),
    }


def _check_sku(body: Json, properties: Json) -> None:
    sku = body.setdefault("sku", {})
    sku.setdefault("name", "Basic")
    sku.setdefault("tier", "Regional")
    if sku["name"] == "Basic":
        # Retired on 2025-09-30: new ones are refused.
        message = "Basic SKU public IP addresses are retired and cannot be created. Use the Standard SKU."
        raise ArmError(400, "BasicSkuPublicIpCreationNotAllowed", message, details=[])
    if properties.get("publicIPAllocationMethod", "Dynamic") != "Static":
        message = "Standard sku publicIp must have AllocationMethod set to Static."
        raise ArmError(400, "StandardSkuPublicIPAddressMustBeStatic", message, details=[])


def _put(call: Call) -> Response:
    return common.put(call, KIND, _build, top_level=("sku", "zones"))


ROUTES = [
    *standard_routes(KIND),
    Route("PUT", item_path(TYPE), _put, TYPE),
    Route("PATCH", item_path(TYPE), lambda call: common.patch_tags(call, KIND), TYPE),
]
