"""Azure's own times for the rehearsal cloud, and what they make the shortest possible launch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.latencies import Latencies
from provisioning.types import ResourceKind

if TYPE_CHECKING:
    from provisioning.azure.stack import Stack

# Medians, in seconds, of operations on small machines in recorded traffic of 2020 and 2021: machine 89, its deletion
# 34, deallocation 41, start 18, Run Command 31, disk at most 1. The rest is assumed: no recording says it.
MEDIANS = Latencies(
    operations={
        "machine-create": 89.0,
        "machine-start": 18.0,
        "machine-deallocate": 41.0,
        "machine-run-command": 31.0,
        "settle-disk": 1.0,
        "settle Microsoft.Network/networkSecurityGroups": 4.0,
        "settle Microsoft.Network/virtualNetworks": 4.0,
        "settle Microsoft.Network/publicIPAddresses": 3.0,
        "delete Microsoft.Compute/virtualMachines": 34.0,
        "group-delete": 60.0,
    },
    calls={
        "PUT Microsoft.Resources/resourceGroups": 1.0,
        "PUT Microsoft.Network/networkInterfaces": 2.0,
        "PUT Microsoft.DevTestLab/schedules": 2.0,
        "PUT Microsoft.Authorization/roleAssignments": 2.0,
    },
    round_trip=0.15,
    # The least that ARM's contract with its providers allows in an answer about an unfinished operation.
    retry_after=10.0,
)
SSH = "SSH answers"
_OPERATIONS = {
    ResourceKind.DISK: "settle-disk",
    ResourceKind.VIRTUAL_MACHINE: "machine-create",
    ResourceKind.NETWORK_SECURITY_GROUP: "settle Microsoft.Network/networkSecurityGroups",
    ResourceKind.VIRTUAL_NETWORK: "settle Microsoft.Network/virtualNetworks",
    ResourceKind.PUBLIC_IP: "settle Microsoft.Network/publicIPAddresses",
}
_CALLS = {
    ResourceKind.RESOURCE_GROUP: "PUT Microsoft.Resources/resourceGroups",
    ResourceKind.NETWORK_INTERFACE: "PUT Microsoft.Network/networkInterfaces",
}


@dataclass(frozen=True, slots=True)
class Node:
    """One thing that a launch must make, what must be there before it, and how long the cloud takes over it."""

    name: str
    seconds: float
    needs: tuple[str, ...]


def launch_graph(stack: Stack, times: Latencies) -> list[Node]:
    """What a launch makes, in an order in which each follows what it needs.

    A node's time is the journey of its request and what the cloud then takes; that the client must also learn of the
    end, sign in over SSH and compute is the client's own affair and counts for nothing here.
    """
    group = str(ResourceKind.RESOURCE_GROUP)
    nodes = [Node(group, _seconds(ResourceKind.RESOURCE_GROUP, times), ())]
    nodes += [
        Node(str(resource.kind), _seconds(resource.kind, times), tuple(sorted(map(str, needs))) or (group,))
        for resource, needs in stack.in_order()
    ]
    return [*nodes, Node(SSH, 0.0, (str(ResourceKind.VIRTUAL_MACHINE),))]


def _seconds(kind: ResourceKind, times: Latencies) -> float:
    taken = times.operations[_OPERATIONS[kind]] if kind in _OPERATIONS else times.calls[_CALLS[kind]]
    return times.scale * (taken + times.round_trip)


def longest_path(nodes: list[Node]) -> tuple[list[Node], float]:
    """The chain of nodes that takes longest, and its seconds."""
    ends: dict[str, float] = {}
    before: dict[str, str] = {}
    for node in nodes:
        latest = max(node.needs, key=lambda name: ends[name], default="")
        ends[node.name] = node.seconds + ends.get(latest, 0.0)
        before[node.name] = latest
    by_name = {node.name: node for node in nodes}
    chain = [nodes[-1]]
    while before[chain[0].name]:
        chain.insert(0, by_name[before[chain[0].name]])
    return chain, ends[nodes[-1].name]
