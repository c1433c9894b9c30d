"""A virtual machine's body and instance view as they are at this moment."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.compute.references import disks_of, vm_id
from provisioning.rehearsal.arm.operations import now_text

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.store import Resource
    from provisioning.rehearsal.arm.world import World

_DISPLAY = {"Creating": "Creating", "Updating": "Updating", "Deleting": "Deleting", "Failed": "Provisioning failed"}


def view(_world: World, machine: Resource) -> Json:
    """What GET answers without `$expand`."""
    return copy.deepcopy(machine.body)


def power(world: World, machine: Resource) -> str:
    """The power state; a machine that shut itself down is stopped (and billed), not deallocated."""
    noted = str(machine.private.get("power", "starting"))
    if noted == "running" and not world.machines.is_alive(vm_id(machine)):
        return "stopped"
    return noted


def instance_view(world: World, machine: Resource) -> Json:
    """What GET instanceView answers."""
    state = power(world, machine)
    seen: Json = {}
    if state == "running":
        profile = machine.properties["osProfile"]
        seen = {"computerName": profile["computerName"], "osName": "ubuntu", "osVersion": "24.04", "vmAgent": _agent()}
    if state != "deallocated":
        seen["disks"] = [{"name": disk["name"], "statuses": [_succeeded(machine)]} for disk in disks_of(machine)]
    if (machine.properties.get("diagnosticsProfile") or {}).get("bootDiagnostics", {}).get("enabled"):
        seen["bootDiagnostics"] = {}
    return {**seen, "hyperVGeneration": "V2", "statuses": [_provisioning(machine), _power_status(state)]}


def _agent() -> Json:
    status = {
        "code": "ProvisioningState/succeeded",
        "level": "Info",
        "displayStatus": "Ready",
        "message": "Guest Agent is running",
        "time": now_text(),
    }
    return {"vmAgentVersion": "2.11.1.12", "statuses": [status], "extensionHandlers": []}


def _succeeded(machine: Resource) -> Json:
    time = machine.properties["timeCreated"]
    return {
        "code": "ProvisioningState/succeeded",
        "level": "Info",
        "displayStatus": "Provisioning succeeded",
        "time": time,
    }


def _provisioning(machine: Resource) -> Json:
    state = machine.state
    code = f"ProvisioningState/{state.lower()}"
    failure = machine.private.get("failure")
    if state != "Failed" or failure is None:
        level, text = "Info", _DISPLAY.get(state, "Provisioning succeeded")
        # The end of the machine's last operation, which for a deallocated one is when its bill ended.
        at = machine.private.get("settled_at") if state == "Succeeded" else None
        return {"code": code, "level": level, "displayStatus": text, "time": at or now_text()}
    words = {"code": f"{code}/{failure['code']}", "level": "Error", "displayStatus": _DISPLAY[state]}
    return {**words, "message": failure["message"], "time": now_text()}


def _power_status(state: str) -> Json:
    return {"code": f"PowerState/{state}", "level": "Info", "displayStatus": f"VM {state}"}
