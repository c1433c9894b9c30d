"""The machine's network interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from provisioning.azure.generic_resource import GenericResource
from provisioning.types import ResourceKind


@dataclass(frozen=True, slots=True)
class NetworkInterface(GenericResource):
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
        """In the subnet, with the public address, behind the security group.

        Not the subnet has the group, so that network and group are made side by side.
        """
        return {
            "location": self.request.region,
            "tags": self.tags,
            "properties": {
                "enableAcceleratedNetworking": True,
                "networkSecurityGroup": {
                    "id": self.names.id_of(ResourceKind.NETWORK_SECURITY_GROUP, self.names.security_group)
                },
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
