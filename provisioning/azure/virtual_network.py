"""The run's own network with its one subnet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from provisioning.azure.generic_resource import GenericResource
from provisioning.types import ResourceKind

ADDRESS_SPACE = "10.64.0.0/24"


@dataclass(frozen=True, slots=True)
class VirtualNetwork(GenericResource):
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
        """One subnet, made in one call, because it is no resource of its own; the interface has the security group."""
        return {
            "location": self.request.region,
            "tags": self.tags,
            "properties": {
                "addressSpace": {"addressPrefixes": [ADDRESS_SPACE]},
                "subnets": [{"name": self.names.subnet, "properties": {"addressPrefix": ADDRESS_SPACE}}],
            },
        }
