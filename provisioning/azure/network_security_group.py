"""Who may knock: port 22, from the caller's address only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from provisioning.azure.generic_resource import GenericResource
from provisioning.types import ResourceKind

SSH_RULE = "ssh-from-caller"
"""Its only rule of ours."""


@dataclass(frozen=True, slots=True)
class NetworkSecurityGroup(GenericResource):
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
