"""Who may knock: port 22, from the caller's address only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from provisioning.azure.resource import OwnedResource
from provisioning.types import ResourceKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.azure.clients import Clients
    from provisioning.azure.operations import Wait

SSH_RULE = "ssh-from-caller"
"""Its only rule of ours."""


@dataclass(frozen=True, slots=True)
class NetworkSecurityGroup(OwnedResource):
    """A Standard public address is closed by default; this opens one port to one address."""

    kind: ClassVar[ResourceKind] = ResourceKind.NETWORK_SECURITY_GROUP
    # The caller's address may have changed since.
    renewable: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """Its name."""
        return self.names.security_group

    @property
    def detail(self) -> str:
        """Its only rule."""
        return f"port 22 from {self.request.caller_address} only"

    def body(self) -> dict[str, Any]:
        """One inbound rule; Azure's own default rules deny the rest."""
        return {
            "location": self.request.region,
            "tags": self.tags,
            "properties": {"securityRules": [self._ssh_rule()]},
        }

    def read(self, clients: Clients) -> Mapping[str, Any]:
        """The group as it is."""
        return clients.network.network_security_groups.get(self.names.group, self.name)

    def create(self, clients: Clients, wait: Wait) -> Mapping[str, Any]:
        """Create it, or renew its rule."""
        from azure.mgmt.network.models import NetworkSecurityGroup

        groups = clients.network.network_security_groups
        return wait(groups.begin_create_or_update(self.names.group, self.name, NetworkSecurityGroup(self.body())))

    def destroy(self, clients: Clients, wait: Wait) -> None:
        """Delete it; its network must be gone."""
        wait(clients.network.network_security_groups.begin_delete(self.names.group, self.name))

    def _ssh_rule(self) -> dict[str, Any]:
        return {
            "name": SSH_RULE,
            "properties": {
                "priority": 1000,
                "direction": "Inbound",
                "access": "Allow",
                "protocol": "Tcp",
                "sourceAddressPrefix": self.request.caller_address,
                "sourcePortRange": "*",
                "destinationAddressPrefix": "*",
                "destinationPortRange": "22",
            },
        }
