"""Finds out whether a machine can be had where the disk is not: no answer of Azure's says so but the machine itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from provisioning.azure.naming import Names
from provisioning.azure.provision import Provisioning
from provisioning.azure.vacate import Vacating
from provisioning.types import Placement

if TYPE_CHECKING:
    from provisioning.azure.clients import Clients
    from provisioning.types import Ledger, MachineRequest, Progress

# The agent lives on the workspace, and with it every limit that ends the machine if this client is killed now.
_PLACEHOLDER_GIB = 8


def probe(clients: Clients, request: MachineRequest, ledger: Ledger, progress: Progress) -> None:
    """Rent the machine of `request` with a small empty disk of its own, then delete both; the network stays.

    A whole machine, with its agent and its auto-shutdown: one that nobody comes back to ends itself like any other.

    Raises:
        ProvisioningError: It cannot be had; what was made stays until the run's next `vacate`.
    """
    names = Names(clients.subscription_id, request.run_id)
    small = replace(request, workspace_gib=_PLACEHOLDER_GIB, keeps_disk=False)
    with_placeholder = replace(names, disk=names.placeholder_disk)
    Provisioning(clients, small, ledger, progress, names=with_placeholder).run()
    keep = Placement(request.region, request.zone, request.size, request.spot)
    Vacating(clients, names, keep, ledger, progress).run(keep_disk=True)
