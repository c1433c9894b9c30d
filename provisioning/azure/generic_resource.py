"""Resources that are sent and read by id, without the SDK package of their provider.

Importing azure-mgmt-network costs seconds of a launch, and adds nothing to a body that is wire JSON already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provisioning.azure.naming import API_VERSIONS
from provisioning.azure.resource import OwnedResource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.azure.clients import Clients
    from provisioning.azure.operations import Wait


@dataclass(frozen=True, slots=True)
class GenericResource(OwnedResource):
    """Created, read and deleted through azure-mgmt-resource."""

    def read(self, clients: Clients) -> Mapping[str, Any]:
        """It as it is."""
        return clients.resources.resources.get_by_id(self.resource_id, api_version=API_VERSIONS[self.kind])

    def create(self, clients: Clients, wait: Wait) -> Mapping[str, Any]:
        """Create it."""
        by_id = clients.resources.resources
        version = API_VERSIONS[self.kind]
        return wait(by_id.begin_create_or_update_by_id(self.resource_id, self.body(), api_version=version))

    def destroy(self, clients: Clients, wait: Wait) -> None:
        """Delete it."""
        by_id = clients.resources.resources
        wait(by_id.begin_delete_by_id(self.resource_id, api_version=API_VERSIONS[self.kind]))
