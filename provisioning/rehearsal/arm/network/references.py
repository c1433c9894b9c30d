"""Who uses whom: the back references that ARM shows and that decide what can be deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.ids import same_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.store import Resource
    from provisioning.rehearsal.arm.world import World

INTERFACE_TYPE = "Microsoft.Network/networkInterfaces"
MACHINE_TYPE = "Microsoft.Compute/virtualMachines"


def _ip_configurations(world: World) -> Iterator[tuple[Resource, Json]]:
    for nic in world.store.all(INTERFACE_TYPE):
        for configuration in nic.properties["ipConfigurations"]:
            yield nic, configuration


def interfaces_in_subnet(world: World, subnet_id: str) -> list[tuple[Resource, str]]:
    """Interfaces, each with the name of its IP configuration, in a subnet."""
    return [
        (nic, configuration["name"])
        for nic, configuration in _ip_configurations(world)
        if same_id(configuration["properties"]["subnet"]["id"], subnet_id)
    ]


def interface_of_address(world: World, address_id: str) -> tuple[Resource, str] | None:
    """The interface (and IP configuration) that holds a public address."""
    for nic, configuration in _ip_configurations(world):
        reference = configuration["properties"].get("publicIPAddress")
        if reference and same_id(reference["id"], address_id):
            return nic, configuration["name"]
    return None


def interfaces_of_group(world: World, security_group_id: str) -> list[Resource]:
    """Interfaces that a network security group guards."""
    return [
        nic
        for nic in world.store.all(INTERFACE_TYPE)
        if same_id((nic.properties.get("networkSecurityGroup") or {}).get("id", ""), security_group_id)
    ]


def subnets_of_group(world: World, security_group_id: str) -> list[str]:
    """Ids of the subnets that a network security group guards."""
    return [
        subnet["id"]
        for network in world.store.all("Microsoft.Network/virtualNetworks")
        for subnet in network.properties["subnets"]
        if same_id((subnet["properties"].get("networkSecurityGroup") or {}).get("id", ""), security_group_id)
    ]


def machine_of_interface(world: World, interface_id: str) -> Resource | None:
    """The machine that an interface belongs to."""
    for machine in world.store.all(MACHINE_TYPE):
        for reference in machine.properties["networkProfile"]["networkInterfaces"]:
            if same_id(reference["id"], interface_id):
                return machine
    return None
