"""Gives a machine's hardware back; what is on its disks stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.azure import observed as seen
from provisioning.azure.inventory import or_none
from provisioning.azure.naming import namespace_of
from provisioning.azure.operations import Operations
from provisioning.types import PowerState

if TYPE_CHECKING:
    from provisioning.azure.clients import Clients
    from provisioning.azure.naming import Names
    from provisioning.types import Progress


def deallocate(clients: Clients, names: Names, progress: Progress) -> None:
    """Deallocate the run's machine and wait for it; done already, or no machine at all, is fine.

    Raises:
        ProvisioningError: The cloud refuses, or it is not done in time.
    """
    machines = clients.compute.virtual_machines
    found = or_none(lambda: machines.get(names.group, names.machine, expand="instanceView"), f"look at {names.machine}")
    if found is None or seen.power_of(found) is PowerState.DEALLOCATED:
        return
    progress(f"deallocating {names.machine}")
    Operations(clients).run(
        f"deallocate {names.machine}",
        namespace_of(str(found["id"])),
        lambda wait: wait(machines.begin_deallocate(names.group, names.machine)),
    )
