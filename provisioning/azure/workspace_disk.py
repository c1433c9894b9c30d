"""The durable disk: data, environment, checkpoints and the final model live on it."""

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
class WorkspaceDisk(OwnedResource):
    """Outlives machines; only the group's deletion takes it."""

    kind: ClassVar[ResourceKind] = ResourceKind.DISK
    fixed: ClassVar[tuple[str, ...]] = ("location", "zones", "properties.diskSizeGB")

    @property
    def name(self) -> str:
        """Its name."""
        return self.names.workspace_disk

    @property
    def detail(self) -> str:
        """Size and type."""
        return f"{self.request.workspace_gib} GiB {self.request.workspace_disk_type}, mounted at /workspace"

    def body(self) -> dict[str, Any]:
        """Empty, in the machine's zone: disk and machine must share it."""
        body: dict[str, Any] = {
            "location": self.request.region,
            "tags": self.tags,
            "sku": {"name": self.request.workspace_disk_type},
            "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": self.request.workspace_gib},
        }
        if self.request.zone:
            body["zones"] = [self.request.zone]
        return body

    def read(self, clients: Clients) -> Mapping[str, Any]:
        """The disk as it is."""
        return clients.compute.disks.get(self.names.group, self.name)

    def create(self, clients: Clients, wait: Wait) -> Mapping[str, Any]:
        """Create it."""
        from azure.mgmt.compute.models import Disk

        return wait(clients.compute.disks.begin_create_or_update(self.names.group, self.name, Disk(self.body())))

    def destroy(self, clients: Clients, wait: Wait) -> None:
        """Delete it with everything on it; no machine may hold it."""
        wait(clients.compute.disks.begin_delete(self.names.group, self.name))
