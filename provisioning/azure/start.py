"""Starts a machine that was deallocated or stopped, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.azure.naming import namespace_of
from provisioning.azure.operations import Operations
from provisioning.types import ResourceKind

if TYPE_CHECKING:
    from provisioning.azure.clients import Clients
    from provisioning.azure.naming import Names
    from provisioning.types import Progress


def start(clients: Clients, names: Names, progress: Progress) -> None:
    """Start the run's machine and wait for it; one that runs stays as it is.

    Raises:
        ProvisioningError: There is no machine, no capacity, or it does not start in time.
    """
    machines = clients.compute.virtual_machines
    progress(f"starting {names.machine}")
    Operations(clients).run(
        f"start {names.machine}",
        namespace_of(names.id_of(ResourceKind.VIRTUAL_MACHINE, names.machine)),
        lambda wait: wait(machines.begin_start(names.group, names.machine)),
    )
