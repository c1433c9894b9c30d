"""The run's own network with its one subnet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from provisioning.azure.resource import OwnedResource
from provisioning.types import ResourceKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.azure.clients import Clients
    from provisioning.azure.operations import Wait

ADDRESS_SPACE = "10.64.0.0/24"


@dataclass(frozen=True, slots=True)
class VirtualNetwork(OwnedResource):
    """Nothing else is in it, so its addresses can clash with nobody's."""

    kind: ClassVar[ResourceKind] = ResourceKind.VIRTUAL_NETWORK

    @property
    def name(self) -> str:
        """Its name."""
        return self.names.virtual_network

    @property
    def detail(self) -> str:
        """Its addresses."""
        return f"{ADDRESS_SPACE}, one subnet"

    def body(self) -> dict[str, Any]:
        """One subnet behind the security group; made in one call, because a subnet is no resource of its own."""
        return {
            "location": self.request.region,
            "tags": self.tags,
            "properties": {
                "addressSpace": {"addressPrefixes": [ADDRESS_SPACE]},
                "subnets": [
                    {
                        "name": self.names.subnet,
                        "properties": {
                            "addressPrefix": ADDRESS_SPACE,
                            "networkSecurityGroup": {
                                "id": self.names.id_of(ResourceKind.NETWORK_SECURITY_GROUP, self.names.security_group)
                            },
                        },
                    }
                ],
            },
        }

    def read(self, clients: Clients) -> Mapping[str, Any]:
        """The network as it is."""
        return clients.network.virtual_networks.get(self.names.group, self.name)

    def create(self, clients: Clients, wait: Wait) -> Mapping[str, Any]:
        """Create it."""
        from azure.mgmt.network.models import VirtualNetwork

        networks = clients.network.virtual_networks
        return wait(networks.begin_create_or_update(self.names.group, self.name, VirtualNetwork(self.body())))

    def destroy(self, clients: Clients, wait: Wait) -> None:
        """Delete it; its interfaces must be gone."""
        wait(clients.network.virtual_networks.begin_delete(self.names.group, self.name))
