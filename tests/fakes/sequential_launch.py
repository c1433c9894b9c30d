"""The launch as a script does it: the same resources one after another, with the SDK as it comes out of the box."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from provisioning.azure.naming import Names
from provisioning.azure.pipeline import sign_in
from provisioning.azure.stack import Stack

if TYPE_CHECKING:
    from provisioning.azure.endpoint import ArmEndpoint
    from provisioning.types import MachineRequest

_PAUSE_SECONDS = 5.0


def launch_in_sequence(endpoint: ArmEndpoint, request: MachineRequest, *, scale: float) -> str:
    """Create everything that `request` asks for, wait until the machine runs, and return its address."""
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.network import NetworkManagementClient
    from azure.mgmt.resource.resources import ResourceManagementClient

    subscription_id = str(endpoint.subscription_id)
    options: dict[str, Any] = {
        "base_url": endpoint.base_url,
        "credential_scopes": [f"{endpoint.base_url}/.default"],
        "connection_verify": str(endpoint.ca_file),
    }
    names = Names(subscription_id, request.run_id)
    stack = Stack.of(request, names)
    credential = sign_in(endpoint)
    with (
        ResourceManagementClient(credential, subscription_id, **options) as resources,
        NetworkManagementClient(credential, subscription_id, **options) as network,
        ComputeManagementClient(credential, subscription_id, **options) as compute,
    ):
        resources.resource_groups.create_or_update(names.group, stack.group.body())
        for operations, resource in (
            (network.network_security_groups, stack.security_group),
            (network.virtual_networks, stack.network),
            (network.public_ip_addresses, stack.public_ip),
            (network.network_interfaces, stack.interface),
            (compute.disks, stack.disk),
            (compute.virtual_machines, stack.machine),
        ):
            body: Any = resource.body()
            operations.begin_create_or_update(names.group, resource.name, body).result()
        while not _runs(compute.virtual_machines.instance_view(names.group, names.machine)):
            time.sleep(_PAUSE_SECONDS * scale)
        return str(network.public_ip_addresses.get(names.group, names.public_ip).ip_address)


def _runs(view: Any) -> bool:  # noqa: ANN401  (the SDK's model)
    return any(status.code == "PowerState/running" for status in view.statuses)
