"""The placement group of a run with several machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from provisioning.azure.generic_resource import GenericResource
from provisioning.types import ResourceKind


@dataclass(frozen=True, slots=True)
class AvailabilitySet(GenericResource):
    """All of its machines are in one cluster; of a size with InfiniBand, those in one set reach each other by it.

    Source: learn.microsoft.com/azure/virtual-machines, RDMA-capable instances ("in the same scale set or availability
    set"). It is free, and knows no availability zones. One fault domain: a training stands as soon as one machine does.
    """

    kind: ClassVar[ResourceKind] = ResourceKind.AVAILABILITY_SET

    @property
    def name(self) -> str:
        """Its name."""
        return self.names.availability_set

    @property
    def detail(self) -> str:
        """How many it holds."""
        return f"{self.request.nodes} machines close to each other"

    def body(self) -> dict[str, Any]:
        """For machines with managed disks."""
        return {
            "location": self.request.region,
            "tags": self.tags,
            "sku": {"name": "Aligned"},
            "properties": {"platformFaultDomainCount": 1, "platformUpdateDomainCount": 1},
        }
