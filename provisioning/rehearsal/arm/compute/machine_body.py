"""What GET answers for a virtual machine, made from what PUT asked for; secrets are left out here."""

from __future__ import annotations

import copy
import uuid
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.compute.images import OS_DISK_GIB, exact_version
from provisioning.rehearsal.arm.operations import now_text
from provisioning.rehearsal.arm.standard import identity_of

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.ids import ResourceId
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.world import World

_COPIED = (
    "securityProfile",
    "diagnosticsProfile",
    "priority",
    "evictionPolicy",
    "billingProfile",
    "additionalCapabilities",
    "availabilitySet",
)


def new_body(world: World, machine_id: ResourceId, wanted: Json) -> Json:
    """The body of a machine that is about to be created."""
    properties = wanted["properties"]
    body = {**identity_of(machine_id), "location": wanted["location"]}
    body |= {key: wanted[key] for key in ("tags", "zones") if wanted.get(key)}
    identity = _identity(world, wanted)
    if identity:
        body["identity"] = identity
    body["properties"] = {
        "hardwareProfile": {"vmSize": properties["hardwareProfile"]["vmSize"]},
        "provisioningState": "Creating",
        "vmId": str(uuid.uuid4()),
        "storageProfile": _storage(machine_id, properties["storageProfile"]),
        "osProfile": _os(properties["osProfile"]),
        "networkProfile": copy.deepcopy(properties["networkProfile"]),
        **{key: copy.deepcopy(properties[key]) for key in _COPIED if properties.get(key) is not None},
        "timeCreated": now_text(),
    }
    body["etag"] = '"1"'
    return body


def _identity(world: World, wanted: Json) -> Json | None:
    if "systemassigned" not in str((wanted.get("identity") or {}).get("type", "")).lower():
        return None
    return {
        "type": "SystemAssigned",
        "principalId": str(uuid.uuid4()),
        "tenantId": world.account.tenant_id,
    }


def _storage(machine_id: ResourceId, wanted: Json) -> Json:
    reference = wanted["imageReference"]
    return {
        "imageReference": {**reference, "exactVersion": exact_version(reference)},
        "osDisk": _os_disk(machine_id, wanted["osDisk"]),
        "dataDisks": [_data_disk(machine_id, disk) for disk in wanted.get("dataDisks") or []],
    }


def _os_disk(machine_id: ResourceId, wanted: Json) -> Json:
    return {
        "osType": "Linux",
        "name": wanted.get("name") or f"{machine_id.name}_OsDisk_1_{uuid.uuid4().hex}",
        "createOption": wanted["createOption"],
        "caching": wanted.get("caching", "ReadWrite"),
        "managedDisk": {"storageAccountType": _account_type(wanted)},
        "deleteOption": wanted.get("deleteOption", "Detach"),
        "diskSizeGB": wanted.get("diskSizeGB", OS_DISK_GIB),
    }


def _data_disk(machine_id: ResourceId, wanted: Json) -> Json:
    attach = str(wanted["createOption"]).lower() == "attach"
    disk: Json = {
        "lun": wanted["lun"],
        "createOption": wanted["createOption"],
        "caching": wanted.get("caching", "None"),
        "toBeDetached": False,
        "deleteOption": wanted.get("deleteOption", "Detach"),
    }
    if attach:
        disk_id = wanted["managedDisk"]["id"]
        return {**disk, "name": disk_id.rpartition("/")[2], "managedDisk": {"id": disk_id}}
    name = wanted.get("name") or f"{machine_id.name}_disk{wanted['lun'] + 2}_{uuid.uuid4().hex}"
    managed = {"storageAccountType": _account_type(wanted)}
    return {**disk, "name": name, "managedDisk": managed, "diskSizeGB": wanted.get("diskSizeGB", 1023)}


def _account_type(wanted: Json) -> str:
    return str((wanted.get("managedDisk") or {}).get("storageAccountType") or "Standard_LRS")


def _os(wanted: Json) -> Json:
    profile: Json = {"computerName": wanted.get("computerName", ""), "adminUsername": wanted["adminUsername"]}
    if wanted.get("linuxConfiguration"):
        profile["linuxConfiguration"] = {
            **copy.deepcopy(wanted["linuxConfiguration"]),
            "provisionVMAgent": True,
            "patchSettings": {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"},
            "enableVMAgentPlatformUpdates": True,
        }
    return profile | {"secrets": [], "allowExtensionOperations": True, "requireGuestProvisionSignal": True}
