"""What the operations on virtual machines do. Each can run again from its start after the emulator was killed."""

from __future__ import annotations

import base64
import shutil
import time
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.addresses import free_address, machine_port
from provisioning.rehearsal.arm.compute.capacity import check_allocation
from provisioning.rehearsal.arm.compute.copies import folder_of
from provisioning.rehearsal.arm.compute.disks import erase as erase_disk
from provisioning.rehearsal.arm.compute.disks import new_disk
from provisioning.rehearsal.arm.compute.references import disks_of, interface_ids, vm_id
from provisioning.rehearsal.arm.compute.skus import has_local_nvme
from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.ids import ResourceId
from provisioning.rehearsal.arm.operations import now_text
from provisioning.rehearsal.machines import LocalMachineSpec

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.rehearsal.arm.faults import Fault
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.operations import Operation
    from provisioning.rehearsal.arm.store import Resource
    from provisioning.rehearsal.arm.world import World


def create(world: World, operation: Operation) -> None:
    """Make the machine's own disks, boot it, and say that it is there."""
    start(world, operation)


def update(world: World, operation: Operation) -> None:
    """Nothing that can be changed on a running machine concerns the process behind it."""
    _settle(world, operation.target)


def start(world: World, operation: Operation) -> None:
    """Boot it from its disks; one whose creation failed may not have them yet."""
    machine = _target(world, operation)
    with world.store.lock:
        # One that runs as far as Azure knows comes back with the emulator: it never gave its hardware back.
        if machine.private.get("power") != "running":
            check_allocation(world, machine)
        _make_disks(world, machine)
        note_ownership(world, machine)
    _boot(world, machine)
    if world.operations.wait_out(operation):
        _settle(world, operation.target)


def restart(world: World, operation: Operation) -> None:
    """Switch it off and on."""
    world.machines.stop(vm_id(_target(world, operation)))
    start(world, operation)


def deallocate(world: World, operation: Operation) -> None:
    """Stop it and give the hardware back: no compute bill any more."""
    _stop(world, _target(world, operation), "deallocated")


def begin_deallocation(world: World, machine: Resource) -> None:
    """Start to deallocate a machine that runs; nobody asked over ARM."""
    if machine.state in {"Creating", "Deleting"} or machine.private.get("power") in {"deallocating", "deallocated"}:
        return
    begin(world, machine, "machine-deallocate", "deallocating", None)


def begin(world: World, machine: Resource, action: str, power: str, fault: Fault | None) -> Operation:
    """Start an operation that changes a machine's power, and show that it is under way."""
    machine.private["power"] = power
    machine.properties["provisioningState"] = "Updating"
    world.store.put(machine)
    return world.operations.start(action, machine.id, fault)


def power_off(world: World, operation: Operation) -> None:
    """Stop it but keep the hardware: it is still billed."""
    _stop(world, _target(world, operation), "stopped")


def _stop(world: World, machine: Resource, power: str) -> None:
    world.machines.stop(vm_id(machine))
    if power == "deallocated" and (scratch := _scratch(machine, _os_disk_folder(world, machine))) is not None:
        shutil.rmtree(scratch, ignore_errors=True)
    with world.store.lock:
        machine.private["power"] = power
        note_ownership(world, machine)
    _settle(world, machine.id)


def note_ownership(world: World, machine: Resource) -> None:
    """Its disks were attached, detached, or came to rest just now."""
    for reference in disks_of(machine):
        disk = world.store.get(reference["managedDisk"].get("id") or "")
        if disk is not None:
            disk.properties["LastOwnershipUpdateTime"] = now_text()
            world.store.put(disk)


def _settle(world: World, resource_id: str) -> None:
    with world.store.lock:
        machine = world.store.get(resource_id)
        if machine is None or machine.state == "Deleting":
            return
        machine.properties["provisioningState"] = "Succeeded"
        machine.private.pop("failure", None)
        machine.private["settled_at"] = world.now_text()
        touch(machine)
        world.store.put(machine)


def touch(machine: Resource) -> None:
    """Count the change in the machine's ETag."""
    machine.body["etag"] = f'"{int(machine.body["etag"].strip(chr(34))) + 1}"'


def note_failure(world: World, machine: Resource, error: Json) -> None:
    """What a failed creation leaves: the machine in state Failed, its interfaces reserved for a while."""
    machine.private |= {"failure": error, "failed_at": now_text()}
    if machine.private.get("power") == "starting":
        machine.private["power"] = "stopped"
    until = time.time() + world.settings.nic_reservation_seconds
    for interface_id in interface_ids(machine):
        nic = world.store.get(interface_id)
        if nic is not None:
            nic.private |= {"reserved_until": until, "reserved_for": machine.id}
            world.store.put(nic)


def erase(world: World, machine: Resource) -> None:
    """Stop it and remove it with everything whose deleteOption is Delete."""
    world.machines.stop(vm_id(machine))
    with world.store.lock:
        note_ownership(world, machine)
        world.store.remove(machine.id)
        world.witness.gone(machine.id)
        for disk in disks_of(machine):
            if disk["deleteOption"] == "Delete":
                _erase_disk(world, disk["managedDisk"].get("id"))
        for reference in machine.properties["networkProfile"]["networkInterfaces"]:
            if (reference.get("properties") or {}).get("deleteOption") == "Delete":
                _erase_interface(world, reference["id"])


def _erase_disk(world: World, disk_id: str | None) -> None:
    disk = world.store.get(disk_id or "")
    if disk is not None:
        erase_disk(world, disk)


def _erase_interface(world: World, interface_id: str) -> None:
    nic = world.store.get(interface_id)
    if nic is None:
        return
    world.store.remove(nic.id)
    for configuration in nic.properties["ipConfigurations"]:
        address = configuration["properties"].get("publicIPAddress") or {}
        if (address.get("properties") or {}).get("deleteOption") == "Delete":
            world.store.remove(address["id"])


def _make_disks(world: World, machine: Resource) -> None:
    for disk in disks_of(machine):
        if "id" not in disk["managedDisk"]:
            disk["managedDisk"]["id"] = _make_disk(world, machine, disk).id
    world.store.put(machine)


def _make_disk(world: World, machine: Resource, disk: Json) -> Resource:
    owner = ResourceId.parse(machine.id)
    made = new_disk(
        world,
        ResourceId(owner.subscription, owner.group, "Microsoft.Compute/disks", disk["name"]),
        region=machine.region,
        sku=disk["managedDisk"]["storageAccountType"],
        size_gib=disk["diskSizeGB"],
        zones=machine.body.get("zones") or [],
        creation={"createOption": disk["createOption"]},
    )
    if machine.body.get("tags"):
        made.body["tags"] = dict(machine.body["tags"])
    return world.store.put(made)


def _boot(world: World, machine: Resource) -> None:
    with world.store.lock:
        spec = _specification(world, machine)
    if world.machines.boot(vm_id(machine), spec):
        world.witness.started(machine.id)
    with world.store.lock:
        if world.store.get(machine.id) is machine:
            machine.private["power"] = "running"
            world.store.put(machine)
            return
    # Its group was deleted while it booted.
    world.machines.stop(vm_id(machine))


def _specification(world: World, machine: Resource) -> LocalMachineSpec:
    profile = machine.properties["osProfile"]
    folder = _os_disk_folder(world, machine)
    keys = ((profile.get("linuxConfiguration") or {}).get("ssh") or {}).get("publicKeys") or [{}]
    address = _address(world, machine)
    return LocalMachineSpec(
        name=profile["computerName"] or machine.name,
        folder=folder,
        address=address,
        port=machine_port(address),
        workspace_folder=_workspace(world, machine, folder),
        environment_cache=world.environment_cache,
        username=profile["adminUsername"],
        ssh_public_key=str(keys[0].get("keyData", "")),
        custom_data=base64.b64decode(machine.private.get("custom_data", "")),
        imds_url=f"{world.metadata_url}/{machine.private['metadata_key']}",
        arm_url=world.urls.base_url,
        arm_ca_file=world.ca_file,
        scratch_folder=_scratch(machine, folder),
    )


def _scratch(machine: Resource, folder: Path) -> Path | None:
    """What stands for the size's local NVMe disks; the next owner of the hardware finds none of it."""
    return folder / "local-nvme" if has_local_nvme(machine.properties["hardwareProfile"]["vmSize"]) else None


def _os_disk_folder(world: World, machine: Resource) -> Path:
    return _disk_folder(world, machine.properties["storageProfile"]["osDisk"]["managedDisk"]["id"])


def _workspace(world: World, machine: Resource, folder: Path) -> Path:
    data_disks = sorted(machine.properties["storageProfile"]["dataDisks"], key=lambda disk: int(disk["lun"]))
    return _disk_folder(world, data_disks[0]["managedDisk"]["id"]) if data_disks else folder / "scratch"


def _disk_folder(world: World, disk_id: str) -> Path:
    disk = world.store.get(disk_id)
    if disk is None:
        raise ArmError(404, "NotFound", f"Resource {disk_id} not found.")
    return folder_of(world, disk)


def _address(world: World, machine: Resource) -> str:
    for interface_id in interface_ids(machine):
        nic = world.store.get(interface_id)
        for configuration in nic.properties["ipConfigurations"] if nic else []:
            reference = configuration["properties"].get("publicIPAddress")
            address = world.store.get(reference["id"]) if reference else None
            if address is not None:
                return str(address.properties["ipAddress"])
    # Without a public address it still runs, but nobody is told where.
    return free_address(world.store)


def _target(world: World, operation: Operation) -> Resource:
    machine = world.store.get(operation.target)
    if machine is None:
        raise ArmError(404, "NotFound", f"Resource {operation.target} not found.")
    return machine
