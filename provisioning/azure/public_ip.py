"""The machine's public address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from provisioning.azure.generic_resource import GenericResource
from provisioning.types import ResourceKind


@dataclass(frozen=True, slots=True)
class PublicIp(GenericResource):
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
