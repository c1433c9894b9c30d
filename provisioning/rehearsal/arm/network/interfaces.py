"""Network interfaces."""

from __future__ import annotations

import copy
import hashlib
import time
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError, invalid_reference
from provisioning.rehearsal.arm.ids import same_id
from provisioning.rehearsal.arm.kinds import Kind
from provisioning.rehearsal.arm.network import common
from provisioning.rehearsal.arm.network.networks import find_subnet
from provisioning.rehearsal.arm.network.references import (
    INTERFACE_TYPE,
    interface_of_address,
    interfaces_in_subnet,
    machine_of_interface,
)
from provisioning.rehearsal.arm.routing import Route
from provisioning.rehearsal.arm.standard import item_path, new_etag, standard_routes

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.http import Response
    from provisioning.rehearsal.arm.ids import ResourceId
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.store import Resource
    from provisioning.rehearsal.arm.world import World

_FIRST_HOST = 4


def _view(world: World, resource: Resource) -> Json:
    body = copy.deepcopy(resource.body)
    machine = machine_of_interface(world, resource.id)
    if machine is not None:
        body["properties"] |= {"virtualMachine": {"id": machine.id}, "primary": True, "macAddress": _mac(resource.id)}
    return body


def _mac(text: str) -> str:
    return "-".join(["00", "0D", "3A", *(f"{byte:02X}" for byte in hashlib.sha256(text.encode()).digest()[:3])])


def _blocker(world: World, resource: Resource) -> ArmError | None:
    machine = machine_of_interface(world, resource.id)
    if machine is not None:
        message = (
            f"Network Interface {resource.id} is used by existing resource {machine.id}. In order to delete the "
            "network interface, it must be dissociated from the resource. To learn more, see aka.ms/deletenic."
        )
        return ArmError(400, "NicInUse", message, details=[])
    if time.time() < resource.private.get("reserved_until", 0.0):
        message = (
            "Nic(s) in request is reserved for another Virtual Machine for 180 seconds. Please provide another nic(s) "
            f"or retry after 180 seconds. Reserved VM: {resource.private['reserved_for']}"
        )
        return ArmError(400, "NicReservedForAnotherVm", message, details=[])
    return None


KIND = Kind(INTERFACE_TYPE, rank=10, style="network", view=_view, blocker=_blocker)


def _build(call: Call, resource_id: ResourceId, body: Json, _existing: Resource | None) -> Json:
    wanted = body.get("properties") or {}
    if not wanted.get("ipConfigurations"):
        raise ArmError(400, "NetworkInterfaceMustHaveIpConfiguration", "An IP configuration is required.", details=[])
    configurations = [
        _ip_configuration(call.world, resource_id, body["location"], configuration, primary=index == 0)
        for index, configuration in enumerate(wanted["ipConfigurations"])
    ]
    properties: Json = {"ipConfigurations": configurations}
    guard = (wanted.get("networkSecurityGroup") or {}).get("id")
    if guard:
        properties["networkSecurityGroup"] = {"id": _referenced(call.world, guard, resource_id, body["location"]).id}
    suffix = hashlib.sha256(str(resource_id).encode()).hexdigest()[:26]
    servers = {"dnsServers": [], "appliedDnsServers": [], "internalDomainNameSuffix": f"{suffix}.internal.cloudapp.net"}
    return {
        **properties,
        "dnsSettings": servers,
        "enableAcceleratedNetworking": bool(wanted.get("enableAcceleratedNetworking", False)),
        "vnetEncryptionSupported": False,
        "enableIPForwarding": bool(wanted.get("enableIPForwarding", False)),
        "disableTcpStateTracking": False,
        "hostedWorkloads": [],
        "tapConfigurations": [],
        "nicType": "Standard",
        "allowPort25Out": False,
        "defaultOutboundConnectivityEnabled": False,
        "auxiliaryMode": "None",
        "auxiliarySku": "None",
    }


def _ip_configuration(world: World, nic: ResourceId, region: str, body: Json, *, primary: bool) -> Json:
    wanted = body.get("properties") or {}
    subnet_id = (wanted.get("subnet") or {}).get("id", "")
    subnet = find_subnet(world, subnet_id, region)
    if subnet is None:
        raise invalid_reference(subnet_id, str(nic))
    properties = {
        "provisioningState": "Succeeded",
        "privateIPAddress": _private_address(world, nic, subnet),
        "privateIPAllocationMethod": wanted.get("privateIPAllocationMethod", "Dynamic"),
        "subnet": {"id": subnet["id"]},
        "primary": primary,
        "privateIPAddressVersion": "IPv4",
    }
    if wanted.get("publicIPAddress"):
        properties["publicIPAddress"] = _public_address(world, nic, region, wanted["publicIPAddress"])
    name = body["name"]
    identity = {"name": name, "id": str(nic.child("ipConfigurations", name)), "etag": new_etag()}
    return {**identity, "type": f"{INTERFACE_TYPE}/ipConfigurations", "properties": properties}


def _public_address(world: World, nic: ResourceId, region: str, reference: Json) -> Json:
    address = _referenced(world, reference["id"], nic, region)
    holder = interface_of_address(world, address.id)
    if holder is not None and not same_id(holder[0].id, str(nic)):
        message = (
            f"Resource {nic} is referencing public IP address {address.id} that is already allocated to {holder[0].id}."
        )
        raise ArmError(400, "PublicIPAddressInUse", message, details=[])
    option = (reference.get("properties") or {}).get("deleteOption")
    return {"id": address.id, **({"properties": {"deleteOption": option}} if option else {})}


def _referenced(world: World, resource_id: str, referrer: ResourceId, region: str) -> Resource:
    found = world.store.get(resource_id)
    if found is None or found.region != region:
        raise invalid_reference(resource_id, str(referrer))
    return found


def _private_address(world: World, nic: ResourceId, subnet: Json) -> str:
    existing = world.store.get(str(nic))
    if existing is not None:
        return str(existing.properties["ipConfigurations"][0]["properties"]["privateIPAddress"])
    network = subnet["properties"].get("addressPrefix") or subnet["properties"]["addressPrefixes"][0]
    host = _FIRST_HOST + len(interfaces_in_subnet(world, subnet["id"]))
    return f"{network.rpartition('.')[0]}.{host}"


def _put(call: Call) -> Response:
    # The interface is ready at once, and there is no operation to poll.
    return common.put(call, KIND, _build, asynchronous=False)


ROUTES = [
    *standard_routes(KIND),
    Route("PUT", item_path(INTERFACE_TYPE), _put, INTERFACE_TYPE),
    Route("PATCH", item_path(INTERFACE_TYPE), lambda call: common.patch_tags(call, KIND), INTERFACE_TYPE),
]
