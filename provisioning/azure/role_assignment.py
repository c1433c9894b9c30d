"""Lets the machine act on its own group: deallocate or delete itself when a limit is reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from provisioning.azure.generic_resource import GenericResource
from provisioning.types import ResourceKind

# Azure's built-in Contributor, the same id in every tenant.
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"


@dataclass(frozen=True, slots=True)
class RoleAssignment(GenericResource):
    """Contributor on the run's own group and on nothing else, for the machine's identity.

    Attributes:
        principal_id: The machine's managed identity.
    """

    principal_id: str

    kind: ClassVar[ResourceKind] = ResourceKind.ROLE_ASSIGNMENT
    fixed: ClassVar[tuple[str, ...]] = ()
    listed: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """A UUID."""
        return self.names.role_assignment(self.principal_id)

    @property
    def detail(self) -> str:
        """What it is good for."""
        return "the machine may deallocate itself at a limit"

    def body(self) -> dict[str, Any]:
        """Who may do what."""
        roles = f"/subscriptions/{self.names.subscription_id}/providers/Microsoft.Authorization/roleDefinitions"
        return {
            "properties": {
                "roleDefinitionId": f"{roles}/{CONTRIBUTOR}",
                "principalId": self.principal_id,
                # Spares Azure the look-up, which fails for a minute for a new identity.
                "principalType": "ServicePrincipal",
            }
        }
