"""Deletes one resource of any kind; one that is not there is as good as deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.azure.naming import namespace_of
from provisioning.errors import QuotaError, RequestRefusedError
from provisioning.types import ResourceKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioning.azure.inventory import Inventory
    from provisioning.azure.operations import Operations, Wait
    from provisioning.types import ResourceRef

# Nothing is in use when its turn comes. What a run never makes itself may hang on a machine, so it goes first.
_ORDER = (
    ResourceKind.OTHER,
    ResourceKind.VIRTUAL_MACHINE,
    ResourceKind.NETWORK_INTERFACE,
    ResourceKind.PUBLIC_IP,
    ResourceKind.DISK,
    ResourceKind.SNAPSHOT,
    ResourceKind.AVAILABILITY_SET,
    ResourceKind.VIRTUAL_NETWORK,
    ResourceKind.NETWORK_SECURITY_GROUP,
    ResourceKind.SHUTDOWN_SCHEDULE,
    ResourceKind.ROLE_ASSIGNMENT,
    ResourceKind.RESOURCE_GROUP,
)


def in_reverse_order(refs: Iterable[ResourceRef]) -> list[ResourceRef]:
    """The reverse of the order of creation: the machine first, the group last."""
    return sorted(refs, key=lambda ref: _ORDER.index(ref.kind))


def delete_one(operations: Operations, inventory: Inventory, ref: ResourceRef, *, limit_seconds: float) -> None:
    """Delete `ref`, which is no group, and wait for it; a machine goes without a shutdown.

    Raises:
        ProvisioningError: What the cloud said last, or that the deadline is over.
    """
    from azure.core.exceptions import ResourceNotFoundError

    def delete(wait: Wait) -> None:
        try:
            _begin(operations, inventory, ref, wait)
        except ResourceNotFoundError:
            return

    try:
        operations.run(
            f"delete the {ref.kind} {ref.name}", namespace_of(ref.resource_id), delete, limit_seconds=limit_seconds
        )
    except QuotaError as error:
        # Azure has one code for "the limit is too small" and "it is attached to something".
        raise RequestRefusedError(f"cannot delete the {ref.kind} {ref.name}, it is still in use") from error


def _begin(operations: Operations, inventory: Inventory, ref: ResourceRef, wait: Wait) -> None:
    clients = operations.clients
    if ref.kind is ResourceKind.VIRTUAL_MACHINE:
        group = ref.resource_id.split("/")[4]
        wait(clients.compute.virtual_machines.begin_delete(group, ref.name, force_deletion=True))
        return
    version = inventory.api_version(ref)
    wait(clients.resources.resources.begin_delete_by_id(ref.resource_id, api_version=version))
