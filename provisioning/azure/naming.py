"""Every name that a run has in Azure, derived from its id alone, so that any computer finds what another one made."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from provisioning.types import ResourceKind, ResourceRef

RUN_TAG = "llamalift-run"
GROUP_PREFIX = "llamalift-"

# The provider path of each kind inside its resource group, and the api-version to read it by id
# (those that the SDK packages send by default, so that one resource is never seen in two shapes).
TYPES = {
    ResourceKind.NETWORK_SECURITY_GROUP: "Microsoft.Network/networkSecurityGroups",
    ResourceKind.VIRTUAL_NETWORK: "Microsoft.Network/virtualNetworks",
    ResourceKind.PUBLIC_IP: "Microsoft.Network/publicIPAddresses",
    ResourceKind.NETWORK_INTERFACE: "Microsoft.Network/networkInterfaces",
    ResourceKind.DISK: "Microsoft.Compute/disks",
    ResourceKind.VIRTUAL_MACHINE: "Microsoft.Compute/virtualMachines",
    ResourceKind.ROLE_ASSIGNMENT: "Microsoft.Authorization/roleAssignments",
    ResourceKind.SHUTDOWN_SCHEDULE: "Microsoft.DevTestLab/schedules",
    ResourceKind.SNAPSHOT: "Microsoft.Compute/snapshots",
    ResourceKind.AVAILABILITY_SET: "Microsoft.Compute/availabilitySets",
}
API_VERSIONS = {
    ResourceKind.RESOURCE_GROUP: "2025-04-01",
    ResourceKind.NETWORK_SECURITY_GROUP: "2026-03-01",
    ResourceKind.VIRTUAL_NETWORK: "2026-03-01",
    ResourceKind.PUBLIC_IP: "2026-03-01",
    ResourceKind.NETWORK_INTERFACE: "2026-03-01",
    ResourceKind.DISK: "2026-03-02",
    ResourceKind.VIRTUAL_MACHINE: "2026-04-01",
    ResourceKind.ROLE_ASSIGNMENT: "2022-04-01",
    ResourceKind.SHUTDOWN_SCHEDULE: "2018-09-15",
    ResourceKind.SNAPSHOT: "2026-03-02",
    ResourceKind.AVAILABILITY_SET: "2026-04-01",
}
_KINDS = {path.lower(): kind for kind, path in TYPES.items()}


def kind_of(resource_id: str) -> ResourceKind:
    """The kind of a resource by its id; `OTHER` for what a run never makes itself."""
    parts = resource_id.strip("/").split("/")
    lowered = [part.lower() for part in parts]
    if "providers" not in lowered:
        return ResourceKind.RESOURCE_GROUP
    after = lowered[len(lowered) - 1 - lowered[::-1].index("providers") + 1 :]
    return _KINDS.get("/".join([after[0], *after[1::2]]), ResourceKind.OTHER)


def ref_of(resource_id: str) -> ResourceRef:
    """Name a resource that was found in a listing."""
    return ResourceRef(
        kind=kind_of(resource_id), name=resource_id.rstrip("/").rsplit("/", 1)[-1], resource_id=resource_id
    )


def namespace_of(resource_id: str) -> str:
    """The resource provider that serves an id, for example `Microsoft.Compute`."""
    _, found, after = resource_id.rpartition("/providers/")
    return after.split("/", 1)[0] if found else "Microsoft.Resources"


@dataclass(frozen=True, slots=True)
class Names:
    """The names and ids of one run in one subscription.

    Attributes:
        subscription_id: The subscription.
        run_id: The run.
        disk: The workspace disk that counts; empty for the first that a run has.
        node: Which of the run's machines, from 0; what the others own has their number, from 2, in its name.
    """

    subscription_id: str
    run_id: str
    disk: str = ""
    node: int = 0

    @property
    def own(self) -> str:
        """What the names of this machine's own resources begin with."""
        return self.run_id if self.node == 0 else f"{self.run_id}-n{self.node + 1}"

    @property
    def group(self) -> str:
        """The resource group, the only thing whose deletion takes everything else along."""
        return GROUP_PREFIX + self.run_id

    @property
    def group_id(self) -> str:
        """Full id of the resource group."""
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{self.group}"

    @property
    def security_group(self) -> str:
        """The network security group."""
        return f"{self.run_id}-nsg"

    @property
    def virtual_network(self) -> str:
        """The virtual network."""
        return f"{self.run_id}-vnet"

    @property
    def subnet(self) -> str:
        """The only subnet of the virtual network."""
        return "machines"

    @property
    def public_ip(self) -> str:
        """The public address."""
        return f"{self.own}-ip"

    @property
    def network_interface(self) -> str:
        """The machine's network interface."""
        return f"{self.own}-nic"

    @property
    def workspace_disk(self) -> str:
        """The durable data disk."""
        return self.disk or self.workspace_disk_of(1)

    def workspace_disk_of(self, generation: int) -> str:
        """The durable data disk after `generation` - 1 moves: a disk cannot be renamed, and both exist for a while."""
        first = f"{self.own}-workspace"
        return first if generation == 1 else f"{first}-{generation}"

    def generation_of(self, name: str) -> int:
        """The number of the run's workspace disk of this name; 0 for any other disk."""
        found = re.fullmatch(rf"{re.escape(self.own)}-workspace(?:-([2-9]|[1-9]\d+))?", name, re.IGNORECASE)
        return 0 if found is None else int(found[1] or 1)

    @property
    def placeholder_disk(self) -> str:
        """The empty disk of a machine that is rented only to see whether it can be had."""
        return f"{self.own}-placeholder"

    def snapshot_of(self, disk: str) -> str:
        """The snapshot of a workspace disk, in the disk's own region."""
        return f"{disk}-snapshot"

    def snapshot_copy_of(self, disk: str) -> str:
        """The copy of that snapshot in another region."""
        return f"{disk}-copy"

    @property
    def os_disk(self) -> str:
        """The machine's own disk, made and deleted together with it."""
        return f"{self.own}-os"

    @property
    def machine(self) -> str:
        """The virtual machine."""
        return f"{self.own}-vm"

    def node_of(self, machine: str) -> int | None:
        """Which of the run's machines has this name; None for any other."""
        found = re.fullmatch(rf"{re.escape(self.run_id)}(?:-n([2-9]|[1-9]\d))?-vm", machine, re.IGNORECASE)
        return None if found is None else int(found[1] or 1) - 1

    @property
    def availability_set(self) -> str:
        """What keeps several machines close to each other."""
        return f"{self.run_id}-set"

    @property
    def shutdown_schedule(self) -> str:
        """The daily auto-shutdown; Azure enforces this form."""
        return f"shutdown-computevm-{self.machine}"

    def role_assignment(self, principal_id: str) -> str:
        """A UUID, as Azure asks: the same on every computer, another one for another machine's identity.

        Azure refuses to give an existing assignment to someone else.
        """
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.group_id}/contributors/{principal_id}".lower()))

    def id_of(self, kind: ResourceKind, name: str) -> str:
        """Full id of a resource of the run's group."""
        return f"{self.group_id}/providers/{TYPES[kind]}/{name}"

    @property
    def subnet_id(self) -> str:
        """Full id of the subnet."""
        return f"{self.id_of(ResourceKind.VIRTUAL_NETWORK, self.virtual_network)}/subnets/{self.subnet}"
