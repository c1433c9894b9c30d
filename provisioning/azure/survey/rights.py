"""What the caller may do in the subscription, computed from the permissions that Azure says it has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azure.core.rest import HttpRequest

from provisioning.azure.errors import translated
from provisioning.survey_types import Rights

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioning.azure.clients import Clients

_API_VERSION = "2022-04-01"
_LONGEST_LISTING_PAGES = 20
# What `provision` cannot do without.
CREATION = (
    "Microsoft.Resources/subscriptions/resourceGroups/write",
    "Microsoft.Network/virtualNetworks/write",
    "Microsoft.Network/networkSecurityGroups/write",
    "Microsoft.Network/publicIPAddresses/write",
    "Microsoft.Network/networkInterfaces/write",
    "Microsoft.Compute/disks/write",
    "Microsoft.Compute/virtualMachines/write",
)
ROLE_ASSIGNMENT = "Microsoft.Authorization/roleAssignments/write"


@dataclass(frozen=True, slots=True)
class Permission:
    """What one role gives: patterns of actions with `*`, less those of `not_actions`."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...]

    def covers(self, action: str) -> bool:
        """Whether this role alone allows the action."""
        return _any_matches(self.actions, action) and not _any_matches(self.not_actions, action)


def may(permissions: Iterable[Permission], action: str) -> bool:
    """Whether any of the roles allows the action; what one role leaves out, another may give."""
    return any(permission.covers(action) for permission in permissions)


def ask_rights(clients: Clients) -> Rights:
    """What the caller may do. Deny assignments and conditions of roles are not looked at.

    Raises:
        ProvisioningError: No answer.
    """
    permissions = _permissions(clients)
    return Rights(
        may_create=all(may(permissions, action) for action in CREATION),
        may_assign_roles=may(permissions, ROLE_ASSIGNMENT),
    )


def _permissions(clients: Clients) -> list[Permission]:
    path = f"/subscriptions/{clients.subscription_id}/providers/Microsoft.Authorization/permissions"
    url: str | None = f"{clients.endpoint.base_url}{path}?api-version={_API_VERSION}"
    found: list[Permission] = []
    for _ in range(_LONGEST_LISTING_PAGES):
        with translated("read what this account may do in the subscription"):
            response = clients.arm.send_request(HttpRequest("GET", str(url)))
            response.raise_for_status()
            page = response.json()
        found += [
            Permission(tuple(each.get("actions") or ()), tuple(each.get("notActions") or ()))
            for each in page.get("value") or []
        ]
        url = page.get("nextLink")
        if not url:
            break
    return found


def _any_matches(patterns: Iterable[str], action: str) -> bool:
    """A `*` stands for anything, slashes too; capitals do not count."""
    return any(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), action, re.IGNORECASE) is not None for pattern in patterns
    )
