"""Which disks and interfaces belong to which machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.ids import same_id

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.store import Resource
    from provisioning.rehearsal.arm.world import World

MACHINE_TYPE = "Microsoft.Compute/virtualMachines"


def vm_id(machine: Resource) -> str:
    """The id that a machine keeps for life; a later machine of the same name has another one."""
    return str(machine.properties["vmId"])


def disks_of(machine: Resource) -> list[Json]:
    """The OS disk and the data disks as they stand in the machine's storage profile."""
    storage = machine.properties["storageProfile"]
    return [storage["osDisk"], *storage["dataDisks"]]


def machine_of_disk(world: World, disk_id: str) -> Resource | None:
    """The machine that a disk is attached to."""
    for machine in world.store.all(MACHINE_TYPE):
        if any(same_id(disk["managedDisk"].get("id", ""), disk_id) for disk in disks_of(machine)):
            return machine
    return None


def interface_ids(machine: Resource) -> list[str]:
    """Ids of the interfaces of a machine."""
    return [str(reference["id"]) for reference in machine.properties["networkProfile"]["networkInterfaces"]]
