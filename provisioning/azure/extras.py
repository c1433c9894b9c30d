"""What a run asks for where the account may have it, and does without otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.azure.role_assignment import RoleAssignment
from provisioning.azure.shutdown_schedule import ShutdownSchedule

if TYPE_CHECKING:
    from provisioning.azure.naming import Names
    from provisioning.azure.resource import OwnedResource
    from provisioning.types import MachineRequest


def extras_of(request: MachineRequest, names: Names, principal_id: str) -> list[OwnedResource]:
    """The role assignment for the machine's identity and the auto-shutdown, as far as the request allows them.

    Args:
        request: What the run asks for.
        names: The run's names.
        principal_id: The machine's identity; empty when it has none.
    """
    extras: list[OwnedResource] = []
    if principal_id:
        extras.append(RoleAssignment(request, names, principal_id))
    if request.shutdown_at is not None:
        extras.append(ShutdownSchedule(request, names, request.shutdown_at))
    return extras
