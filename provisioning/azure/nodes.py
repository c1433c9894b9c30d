"""A run's machines: the first with all that they share, then the others side by side."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from provisioning.azure import observed as seen
from provisioning.azure.graph import Task, run_all
from provisioning.azure.naming import Names
from provisioning.azure.provision import Provisioning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.azure.clients import Clients
    from provisioning.azure.provision import Provisioned
    from provisioning.types import Ledger, MachineRequest, Progress


def provision_all(clients: Clients, request: MachineRequest, ledger: Ledger, progress: Progress) -> list[Provisioned]:
    """Make whatever of the run's machines does not exist yet; they run in the end. The first one comes first.

    Raises:
        ProvisioningError: What went wrong first. What was made stays, for the next call or for `destroy`.
    """
    found: dict[int, Provisioned] = {}

    def make(node: int, progress: Progress) -> None:
        data = request.custom_data if node == 0 else request.others_custom_data[node - 1]
        names = Names(clients.subscription_id, request.run_id, node=node)
        found[node] = Provisioning(clients, replace(request, custom_data=data), ledger, progress, names=names).run()

    make(0, progress)
    others = range(1, request.nodes)
    tasks = [
        Task(f"machine {node + 1}", partial(make, node, partial(_say, progress, node, request.nodes)))
        for node in others
    ]
    if tasks:
        run_all(tasks, threading.Event())
    return [found[node] for node in range(request.nodes)]


def private_address(interface: Mapping[str, Any]) -> str:
    """The address of an interface in the run's own network; empty while it has none."""
    first: Mapping[str, Any] = next(iter(seen.value_at(interface, "properties.ipConfigurations") or []), {})
    return str(seen.value_at(first, "properties.privateIPAddress") or "")


def _say(progress: Progress, node: int, nodes: int, message: str) -> None:
    progress(f"machine {node + 1} of {nodes}: {message}")
