"""The calls on virtual machines."""

from __future__ import annotations

import copy
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.compute.evictions import announce
from provisioning.rehearsal.arm.compute.machine_actions import begin, erase, touch
from provisioning.rehearsal.arm.compute.machine_body import new_body
from provisioning.rehearsal.arm.compute.machine_checks import check_new_machine
from provisioning.rehearsal.arm.compute.machine_view import instance_view, view
from provisioning.rehearsal.arm.compute.references import MACHINE_TYPE
from provisioning.rehearsal.arm.errors import ArmError, property_change
from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.kinds import Kind
from provisioning.rehearsal.arm.routing import Route
from provisioning.rehearsal.arm.standard import (
    NOTIFIED,
    accepted_headers,
    check_not_busy,
    checked_put_body,
    etag_headers,
    find,
    item_path,
    standard_routes,
)
from provisioning.rehearsal.arm.store import Resource
from provisioning.rehearsal.arm.validation import check_request_body

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.operations import Operation
    from provisioning.rehearsal.arm.routing import Handler

KIND = Kind(MACHINE_TYPE, rank=0, style="compute", view=view, erase=erase)


def _put(call: Call) -> Response:
    group = call.living_group()
    machine_id = call.resource_id(MACHINE_TYPE, call.params["name"])
    existing = call.world.store.get(str(machine_id))
    wanted = checked_put_body(call, machine_id, existing)
    if existing is not None:
        return _update(call, existing, wanted)
    check_new_machine(call.world, machine_id, wanted)
    body = new_body(call.world, machine_id, wanted)
    machine = Resource(str(machine_id), MACHINE_TYPE, machine_id.name, group.name, wanted["location"], body)
    custom_data = wanted["properties"]["osProfile"].get("customData") or ""
    machine.private = {"power": "starting", "custom_data": custom_data, "metadata_key": secrets.token_urlsafe(24)}
    call.world.store.put(machine)
    call.world.witness.made(machine.id)
    operation = call.world.operations.start("machine-create", machine.id, call.fault)
    return Response(201, view(call.world, machine), _headers(call, machine, operation))


def _update(call: Call, machine: Resource, wanted: Json) -> Response:
    _check_unchanged(machine, wanted)
    if "tags" in wanted:
        machine.body["tags"] = wanted["tags"] or {}
    _change_delete_options(machine, wanted.get("properties") or {})
    call.world.witness.asked_again(machine.id)
    # Asking again for a machine whose creation failed tries the creation again.
    action = "machine-create" if machine.state == "Failed" else "machine-update"
    machine.properties["provisioningState"] = "Updating"
    touch(machine)
    call.world.store.put(machine)
    answer = view(call.world, machine)
    call.world.operations.start(action, machine.id, call.fault)
    # As recorded: an update names no operation; the body's provisioningState is polled.
    return Response(200, answer, etag_headers(answer))


def _check_unchanged(machine: Resource, wanted: Json) -> None:
    properties = wanted.get("properties") or {}
    if "zones" in wanted and (wanted["zones"] or []) != (machine.body.get("zones") or []):
        raise property_change("zones")
    profile, former = properties.get("osProfile") or {}, machine.properties["osProfile"]
    for name in ("adminUsername", "computerName"):
        if profile.get(name) is not None and profile[name] != former.get(name):
            raise property_change(f"osProfile.{name}")
    if profile.get("customData") is not None and profile["customData"] != machine.private["custom_data"]:
        raise property_change("osProfile.customData")
    keys, former_keys = (_keys(profile), _keys(former))
    if keys is not None and keys != former_keys:
        raise property_change("linuxConfiguration.ssh.publicKeys")
    image = (properties.get("storageProfile") or {}).get("imageReference")
    known = machine.properties["storageProfile"]["imageReference"]
    if image and any(image.get(key) != known.get(key) for key in ("publisher", "offer", "sku", "version")):
        raise property_change("imageReference")


def _keys(profile: Json) -> list[str] | None:
    keys = ((profile.get("linuxConfiguration") or {}).get("ssh") or {}).get("publicKeys")
    return None if keys is None else [str(key.get("keyData")) for key in keys]


def _change_delete_options(machine: Resource, wanted: Json) -> None:
    storage, former = wanted.get("storageProfile") or {}, machine.properties["storageProfile"]
    option = (storage.get("osDisk") or {}).get("deleteOption")
    if option:
        former["osDisk"]["deleteOption"] = option
    by_lun = {disk["lun"]: disk for disk in former["dataDisks"]}
    for disk in storage.get("dataDisks") or []:
        if disk.get("deleteOption") and disk["lun"] in by_lun:
            by_lun[disk["lun"]]["deleteOption"] = disk["deleteOption"]
    interfaces = (wanted.get("networkProfile") or {}).get("networkInterfaces")
    if interfaces:
        machine.properties["networkProfile"]["networkInterfaces"] = copy.deepcopy(interfaces)


def _patch(call: Call) -> Response:
    machine = find(call, KIND)
    call.check_if_match(machine.body["etag"])
    check_not_busy(call, machine)
    wanted = call.request.json()
    check_request_body("PATCH", MACHINE_TYPE, wanted)
    return _update(call, machine, wanted)


def _get(call: Call) -> Response:
    machine = find(call, KIND)
    body = view(call.world, machine)
    expand = call.request.query.get("$expand", "").lower()
    if expand == "instanceview":
        body["properties"]["instanceView"] = instance_view(call.world, machine)
    elif expand not in {"", "userdata"}:
        message = f"The value '{call.request.query['$expand']}' of parameter '$expand' is invalid."
        raise ArmError(400, "InvalidParameter", message, target="$expand")
    return Response(200, body, etag_headers(body))


def _get_instance_view(call: Call) -> Response:
    return Response(200, instance_view(call.world, find(call, KIND)))


def _poster(action: str, power: str) -> Handler:
    def post(call: Call) -> Response:
        machine = find(call, KIND)
        check_not_busy(call, machine)
        if machine.state == "Creating":
            message = f"Operation '{action}' is not allowed on VM '{machine.name}' since the VM is being created."
            raise ArmError(409, "OperationNotAllowed", message)
        operation = begin(call.world, machine, f"machine-{action}", power, call.fault)
        return Response(202, None, accepted_headers(call, KIND, operation, machine.region))

    return post


def _simulate_eviction(call: Call) -> Response:
    machine = find(call, KIND)
    check_not_busy(call, machine)
    if str(machine.properties.get("priority", "Regular")).lower() != "spot":
        message = f"Operation 'simulateEviction' is not allowed on VM '{machine.name}' since it is not a Spot VM."
        raise ArmError(409, "OperationNotAllowed", message)
    announce(call.world, machine, call.world.settings.eviction_notice_seconds)
    return Response(204)


def _boot_diagnostics(call: Call) -> Response:
    machine = find(call, KIND)
    if not (machine.properties.get("diagnosticsProfile") or {}).get("bootDiagnostics", {}).get("enabled"):
        message = f"Boot diagnostics is not enabled for the virtual machine '{machine.name}'."
        raise ArmError(409, "OperationNotAllowed", message)
    url = f"{call.world.urls.base_url}/bootdiagnostics/{machine.properties['vmId']}"
    signature = serial_signature(call.world.account.key, str(machine.properties["vmId"]))
    answer = {"consoleScreenshotBlobUri": f"{url}/screenshot.bmp?sig={signature}"}
    return Response(200, {**answer, "serialConsoleLogBlobUri": f"{url}/serialconsole.log?sig={signature}"})


def serial_signature(key: bytes, vm_id: str) -> str:
    """What makes the URL of a serial log readable without a token."""
    return hmac.new(key, f"serial:{vm_id}".encode(), hashlib.sha256).hexdigest()


def _headers(call: Call, machine: Resource, operation: Operation) -> dict[str, str]:
    polled = call.world.urls.compute(operation, machine.region, call.api_version)
    return {**polled, **NOTIFIED, **etag_headers(machine.body)}


_ITEM = item_path(MACHINE_TYPE)
ROUTES = [
    Route("GET", _ITEM, _get, MACHINE_TYPE),
    *(route for route in standard_routes(KIND) if (route.method, route.pattern) != ("GET", _ITEM)),
    Route("PUT", _ITEM, _put, MACHINE_TYPE),
    Route("PATCH", _ITEM, _patch, MACHINE_TYPE),
    Route("GET", f"{_ITEM}/instanceView", _get_instance_view, MACHINE_TYPE),
    Route("POST", f"{_ITEM}/start", _poster("start", "starting"), MACHINE_TYPE),
    Route("POST", f"{_ITEM}/restart", _poster("restart", "starting"), MACHINE_TYPE),
    Route("POST", f"{_ITEM}/powerOff", _poster("power-off", "stopping"), MACHINE_TYPE),
    Route("POST", f"{_ITEM}/deallocate", _poster("deallocate", "deallocating"), MACHINE_TYPE),
    Route("POST", f"{_ITEM}/simulateEviction", _simulate_eviction, MACHINE_TYPE),
    Route("POST", f"{_ITEM}/retrieveBootDiagnosticsData", _boot_diagnostics, MACHINE_TYPE),
]
