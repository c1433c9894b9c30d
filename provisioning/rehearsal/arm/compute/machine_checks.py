"""Why a virtual machine is refused, in the order in which ARM looks."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.compute import availability_sets
from provisioning.rehearsal.arm.compute.capacity import check_at_once
from provisioning.rehearsal.arm.compute.copies import DISK_TYPE
from provisioning.rehearsal.arm.compute.quota import check_quota
from provisioning.rehearsal.arm.compute.references import machine_of_disk
from provisioning.rehearsal.arm.compute.restrictions import check_restrictions
from provisioning.rehearsal.arm.compute.sizes import SIZES
from provisioning.rehearsal.arm.compute.spot_checks import check_spot, is_spot
from provisioning.rehearsal.arm.errors import ArmError, size_not_available
from provisioning.rehearsal.arm.ids import same_id
from provisioning.rehearsal.arm.network.references import INTERFACE_TYPE, machine_of_interface
from provisioning.rehearsal.arm.regions import check_zones

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.compute.sizes import Size
    from provisioning.rehearsal.arm.ids import ResourceId
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.store import Resource
    from provisioning.rehearsal.arm.world import World

_MAX_CUSTOM_DATA_BYTES = 65_535
# From the documentation of osProfile.adminUsername.
_FORBIDDEN_USERS = frozenset(
    {
        "1", "123", "a", "actuser", "adm", "admin", "admin1", "admin2", "administrator", "aspnet", "backup", "console",
        "david", "guest", "john", "owner", "root", "server", "sql", "support", "support_388945a0", "sys", "test",
        "test1", "test2", "test3", "user", "user1", "user2", "user3", "user4", "user5", "video",
    }
)  # fmt: skip


def check_new_machine(world: World, machine_id: ResourceId, body: Json) -> None:
    """Everything that a new machine must satisfy.

    Raises:
        ArmError: The first thing that is wrong.
    """
    properties, region, zones = body.get("properties") or {}, body["location"], body.get("zones") or []
    check_zones(zones, region)
    _check_present(properties)
    size = offered_size(properties, region)
    check_restrictions(world, size, region, zones)
    check_spot(world, properties, size, region)
    _check_os(properties.get("osProfile") or {})
    _check_set(world, properties, region, zones)
    _check_interfaces(world, machine_id, properties, region)
    _check_data_disks(world, machine_id, properties, size, (region, zones))
    check_quota(world, region, size, spot=is_spot(properties))
    check_at_once(world, str(machine_id), body)


def _check_present(properties: Json) -> None:
    storage = properties.get("storageProfile") or {}
    given = {
        "storageProfile": storage,
        "storageProfile.imageReference": storage.get("imageReference"),
        "storageProfile.osDisk": storage.get("osDisk"),
        "osProfile": properties.get("osProfile"),
    }
    for name, value in given.items():
        if not value:
            raise ArmError(400, "InvalidParameter", f"Required parameter '{name}' is missing (null).", target=name)


def offered_size(properties: Json, region: str) -> Size:
    """The size that is asked for.

    Raises:
        ArmError: 400 InvalidParameter for a size that does not exist, 409 SkuNotAvailable for one not offered here.
    """
    name = (properties.get("hardwareProfile") or {}).get("vmSize")
    if not name:
        raise ArmError(400, "InvalidParameter", "Required parameter 'vmSize' is missing (null).", target="vmSize")
    size = SIZES.get(str(name).lower())
    if size is None:
        known = ", ".join(size.name for size in SIZES.values() if region in size.regions)
        message = (
            f"The value {name} provided for the VM size is not valid. The valid sizes in the current region are: "
            f"{known}. Find out more on the valid VM sizes in each region at https://aka.ms/azure-regions."
        )
        raise ArmError(400, "InvalidParameter", message, target="vmSize")
    if region not in size.regions:
        raise size_not_available(size.name, region)
    return size


def _check_os(profile: Json) -> None:
    user = str(profile.get("adminUsername") or "")
    if not user:
        message = "Required parameter 'osProfile.adminUsername' is missing (null)."
        raise ArmError(400, "InvalidParameter", message, target="osProfile.adminUsername")
    if user.lower() in _FORBIDDEN_USERS:
        message = "The Admin Username specified is not allowed."
        raise ArmError(400, "InvalidParameter", message, target="adminUsername")
    _check_custom_data(profile.get("customData"))
    linux = profile.get("linuxConfiguration") or {}
    if linux.get("disablePasswordAuthentication") and not (linux.get("ssh") or {}).get("publicKeys"):
        message = "At least one SSH key must be specified if password authentication is disabled."
        raise ArmError(400, "InvalidParameter", message, target="linuxConfiguration.ssh.publicKeys")


def _check_custom_data(text: str | None) -> None:
    try:
        decoded = base64.b64decode(text or "", validate=True)
    except binascii.Error as error:
        message = "Custom data in OSProfile must be in Base64 encoding and with a maximum length of 87380 characters."
        raise ArmError(400, "InvalidParameter", message, target="customData") from error
    if len(decoded) > _MAX_CUSTOM_DATA_BYTES:
        message = "Custom data in OSProfile must be in Base64 encoding and with a maximum length of 87380 characters."
        raise ArmError(400, "InvalidParameter", message, target="customData")


def _check_set(world: World, properties: Json, region: str, zones: list[str]) -> None:
    wanted = properties.get("availabilitySet")
    if wanted is None:
        return
    if zones:
        message = (
            "Virtual Machine cannot be created because both Availability Zone and Availability Set were specified. "
            "Deploying an Availability Set to an Availability Zone isn't supported."
        )
        raise ArmError(400, "BadRequest", message)
    _existing(world, str(wanted.get("id")), availability_sets.TYPE, region)


def _check_interfaces(world: World, machine_id: ResourceId, properties: Json, region: str) -> None:
    references = (properties.get("networkProfile") or {}).get("networkInterfaces") or []
    if not references:
        message = "Required parameter 'networkProfile.networkInterfaces' is missing (null)."
        raise ArmError(400, "InvalidParameter", message, target="networkInterfaces")
    for reference in references:
        nic = _existing(world, str(reference.get("id")), INTERFACE_TYPE, region)
        owner = machine_of_interface(world, nic.id)
        if owner is not None and not same_id(owner.id, str(machine_id)):
            message = f"Network interface {nic.id} is already in use by virtual machine {owner.id}."
            raise ArmError(409, "NicInUse", message, target="networkInterfaces")


def _check_data_disks(
    world: World, machine_id: ResourceId, properties: Json, size: Size, place: tuple[str, list[str]]
) -> None:
    disks = (properties.get("storageProfile") or {}).get("dataDisks") or []
    if len(disks) > size.max_data_disks:
        message = (
            f"The maximum number of data disks allowed to be attached to a VM of this size is {size.max_data_disks}."
        )
        raise ArmError(409, "OperationNotAllowed", message, target="dataDisks")
    luns = [disk["lun"] for disk in disks]
    if len(set(luns)) < len(luns):
        message = "The same LUN is used by more than one data disk."
        raise ArmError(400, "InvalidParameter", message, target="dataDisk.lun")
    for disk in disks:
        if str(disk["createOption"]).lower() == "attach":
            _check_attach(world, machine_id, str((disk.get("managedDisk") or {}).get("id")), place)


def _check_attach(world: World, machine_id: ResourceId, disk_id: str, place: tuple[str, list[str]]) -> None:
    region, zones = place
    disk = _existing(world, disk_id, DISK_TYPE, region)
    owner = machine_of_disk(world, disk.id)
    if owner is not None and not same_id(owner.id, str(machine_id)):
        message = f"Disk '{disk.name}' cannot be attached as the disk is already owned by VM '{owner.id}'."
        raise ArmError(409, "ConflictingUserInput", message, target=disk.id)
    disk_zones = disk.body.get("zones") or []
    if disk_zones != zones:
        message = (
            f"Disk {disk.id} cannot be attached to the VM because it is not in the same zone as the VM. "
            f"VM zone: '{','.join(zones)}'. Disk zone: '{','.join(disk_zones)}'."
        )
        raise ArmError(400, "BadRequest", message, target="dataDisks")


def _existing(world: World, resource_id: str, resource_type: str, region: str) -> Resource:
    found = world.store.get(resource_id)
    if found is None or found.type != resource_type or found.state == "Deleting":
        raise ArmError(404, "NotFound", f"Resource {resource_id} not found.")
    if found.region != region:
        message = (
            f"The resource {resource_id} is in location '{found.region}', but the virtual machine is in '{region}'."
        )
        raise ArmError(400, "InvalidParameter", message, target="id")
    return found
