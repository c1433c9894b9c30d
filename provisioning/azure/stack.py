"""The resources of one run and what each needs first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioning.azure.availability_set import AvailabilitySet
from provisioning.azure.network_interface import NetworkInterface
from provisioning.azure.network_security_group import NetworkSecurityGroup
from provisioning.azure.public_ip import PublicIp
from provisioning.azure.resource_group import ResourceGroup
from provisioning.azure.virtual_machine import VirtualMachine
from provisioning.azure.virtual_network import VirtualNetwork
from provisioning.azure.workspace_disk import WorkspaceDisk
from provisioning.types import ResourceKind

if TYPE_CHECKING:
    from provisioning.azure.naming import Names
    from provisioning.azure.resource import OwnedResource
    from provisioning.types import MachineRequest


@dataclass(frozen=True, slots=True)
class Stack:
    """Group first; then security group, network, address and disk side by side; then interface; then machine."""

    group: ResourceGroup
    security_group: NetworkSecurityGroup
    network: VirtualNetwork
    public_ip: PublicIp
    interface: NetworkInterface
    disk: WorkspaceDisk
    machine: VirtualMachine
    # Of a run with several machines.
    availability_set: AvailabilitySet | None = None

    @classmethod
    def of(cls, request: MachineRequest, names: Names) -> Stack:
        """The resources that `request` asks for."""
        return cls(
            group=ResourceGroup(request, names),
            security_group=NetworkSecurityGroup(request, names),
            network=VirtualNetwork(request, names),
            public_ip=PublicIp(request, names),
            interface=NetworkInterface(request, names),
            disk=WorkspaceDisk(request, names),
            machine=VirtualMachine(request, names),
            availability_set=AvailabilitySet(request, names) if request.nodes > 1 else None,
        )

    def of_one_machine(self) -> list[OwnedResource]:
        """What each of several machines has for itself."""
        return [self.public_ip, self.disk, self.interface, self.machine]

    def in_order(self) -> list[tuple[OwnedResource, frozenset[ResourceKind]]]:
        """Everything inside the group, each with what must exist before it."""
        placement = [] if self.availability_set is None else [self.availability_set]
        return [
            *((one, frozenset[ResourceKind]()) for one in placement),
            (self.security_group, frozenset()),
            (self.public_ip, frozenset()),
            (self.disk, frozenset()),
            (self.network, frozenset()),
            (
                self.interface,
                frozenset({ResourceKind.VIRTUAL_NETWORK, ResourceKind.PUBLIC_IP, ResourceKind.NETWORK_SECURITY_GROUP}),
            ),
            (
                self.machine,
                frozenset({ResourceKind.NETWORK_INTERFACE, ResourceKind.DISK, *(one.kind for one in placement)}),
            ),
        ]
