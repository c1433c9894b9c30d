"""The run's resource group: everything is in it, and goes with it."""

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
class ResourceGroup(OwnedResource):
    """One group per run is what makes teardown whole."""

    kind: ClassVar[ResourceKind] = ResourceKind.RESOURCE_GROUP
    # Not its location: that is only where Azure keeps its record; what is in it may be anywhere.
    fixed: ClassVar[tuple[str, ...]] = ()

    @property
    def name(self) -> str:
        """Its name."""
        return self.names.group

    @property
    def resource_id(self) -> str:
        """Full ARM id; a group has no provider in it."""
        return self.names.group_id

    @property
    def detail(self) -> str:
        """Where."""
        return self.request.region

    def body(self) -> dict[str, Any]:
        """Where, and whose it is."""
        return {"location": self.request.region, "tags": {**self.tags, **self.request.group_tags}}

    def read(self, clients: Clients) -> Mapping[str, Any]:
        """The group as it is."""
        return clients.resources.resource_groups.get(self.name)

    def create(self, clients: Clients, wait: Wait) -> Mapping[str, Any]:  # noqa: ARG002  (groups are made at once)
        """Create it."""
        return clients.resources.resource_groups.create_or_update(self.name, self.body())

    def destroy(self, clients: Clients, wait: Wait) -> None:
        """Delete it with everything in it."""
        wait(clients.resources.resource_groups.begin_delete(self.name))
