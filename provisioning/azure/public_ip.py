"""The machine's public address."""

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
class PublicIp(OwnedResource):
    """Standard and static (Basic ones are retired); it is also the machine's way out to the internet."""

    kind: ClassVar[ResourceKind] = ResourceKind.PUBLIC_IP
    # Not its zones: one that is asked for without any spans all of them, and Azure may list them. The disk's and the
    # machine's are compared.

    @property
    def name(self) -> str:
        """Its name."""
        return self.names.public_ip

    @property
    def detail(self) -> str:
        """Its kind."""
        return "Standard, static"

    def body(self) -> dict[str, Any]:
        """In the machine's zone, or in none."""
        body: dict[str, Any] = {
            "location": self.request.region,
            "tags": self.tags,
            "sku": {"name": "Standard"},
            "properties": {"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"},
        }
        if self.request.zone:
            body["zones"] = [self.request.zone]
        return body

    def read(self, clients: Clients) -> Mapping[str, Any]:
        """The address as it is."""
        return clients.network.public_ip_addresses.get(self.names.group, self.name)

    def create(self, clients: Clients, wait: Wait) -> Mapping[str, Any]:
        """Create it; a static one has its address at once."""
        from azure.mgmt.network.models import PublicIPAddress

        addresses = clients.network.public_ip_addresses
        return wait(addresses.begin_create_or_update(self.names.group, self.name, PublicIPAddress(self.body())))

    def destroy(self, clients: Clients, wait: Wait) -> None:
        """Delete it; its interface must be gone."""
        wait(clients.network.public_ip_addresses.begin_delete(self.names.group, self.name))
