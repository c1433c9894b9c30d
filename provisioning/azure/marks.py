"""Tags of a run's group that change during its life: what two computers can both see without a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.azure.errors import translated
from provisioning.azure.inventory import Inventory
from provisioning.errors import ProvisioningError

if TYPE_CHECKING:
    from provisioning.azure.clients import Clients
    from provisioning.azure.naming import Names

_GOING = frozenset({"ResourceGroupBeingDeleted", "ResourceGroupNotFound"})


def read_mark(clients: Clients, names: Names, name: str) -> str | None:
    """The value of a tag, empty when the group has none of that name; None when the run has no group. One read."""
    inventory = Inventory(clients, names)
    group = inventory.group()
    if group is None or not inventory.is_ours(group):
        return None
    return str((group.get("tags") or {}).get(name) or "")


def write_mark(clients: Clients, names: Names, name: str, value: str) -> None:
    """Give the group's tag a value: one read and one write. No group, or one that is being deleted, is no error.

    Azure's PATCH replaces all tags of a group, hence the read.

    Raises:
        ProvisioningError: The account may not change the group.
    """
    from azure.mgmt.resource.resources.models import ResourceGroupPatchable

    inventory = Inventory(clients, names)
    group = inventory.group()
    if group is None or not inventory.is_ours(group):
        return
    tags = {**(group.get("tags") or {}), name: value}
    try:
        with translated(f"tag the resource group {names.group}"):
            clients.resources.resource_groups.update(names.group, ResourceGroupPatchable(tags=tags))
    except ProvisioningError as error:
        if error.code not in _GOING:
            raise
