"""The machine's network interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from provisioning.azure.resource import OwnedResource
from provisioning.types import ResourceKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.azure.clients import Clients
    from provisioning.azure.operations import Wait


@dataclass(frozen=True, slots=True)
class NetworkInterface(OwnedResource):
    """Accelerated, because the weights travel through it. The public address goes when the machine goes."""

    kind: ClassVar[ResourceKind] = ResourceKind.NETWORK_INTERFACE

    @property
    def name(self) -> str:
        """Its name."""
        return self.names.network_interface

    @property
    def detail(self) -> str:
        """Its speed class."""
        return "accelerated networking"

    def body(self) -> dict[str, Any]:
        """In the subnet, with the public address."""
        return {
            "location": self.request.region,
            "tags": self.tags,
            "properties": {
                "enableAcceleratedNetworking": True,
                "ipConfigurations": [
                    {
                        "name": "main",
                        "properties": {
                            "primary": True,
                            "privateIPAllocationMethod": "Dynamic",
                            "subnet": {"id": self.names.subnet_id},
                            "publicIPAddress": {
                                "id": self.names.id_of(ResourceKind.PUBLIC_IP, self.names.public_ip),
                                # Without it a deleted machine leaves an address that goes on being billed.
                                "properties": {"deleteOption": "Delete"},
                            },
                        },
                    }
                ],
            },
        }

    def read(self, clients: Clients) -> Mapping[str, Any]:
        """The interface as it is."""
        return clients.network.network_interfaces.get(self.names.group, self.name)

    def create(self, clients: Clients, wait: Wait) -> Mapping[str, Any]:
        """Create it."""
        from azure.mgmt.network.models import NetworkInterface

        interfaces = clients.network.network_interfaces
        return wait(interfaces.begin_create_or_update(self.names.group, self.name, NetworkInterface(self.body())))

    def destroy(self, clients: Clients, wait: Wait) -> None:
        """Delete it; its machine must be gone."""
        wait(clients.network.network_interfaces.begin_delete(self.names.group, self.name))
