"""Run Command: a shell script that the control plane has a machine run as root, and the end of what it printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.compute.machines import KIND
from provisioning.rehearsal.arm.compute.references import MACHINE_TYPE, vm_id
from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.routing import Route
from provisioning.rehearsal.arm.standard import accepted_headers, check_not_busy, find, item_path
from provisioning.rehearsal.arm.validation import check_request_body

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.operations import Operation
    from provisioning.rehearsal.arm.world import World

_SHELL_SCRIPT = "RunShellScript"
_ACTION = "run-command"
# Azure gives the last 4,096 bytes of each stream (learn.microsoft.com/azure/virtual-machines/linux/run-command).
_KEPT_BYTES = 4096


def run(world: World, operation: Operation) -> Json:
    """Run the script; its exit code makes no difference to the operation, which has succeeded when the script ended.

    Raises:
        ArmError: The machine does not run, or ended before the script.
    """
    machine = world.store.get(operation.target)
    if machine is None or not world.machines.is_alive(vm_id(machine)):
        raise _not_running()
    said = world.machines.run_script(vm_id(machine), str(operation.arguments["script"]))
    # As the Linux agent of Run Command words it; the one for Windows has an entry per stream.
    message = f"Enable succeeded: \n[stdout]\n{_end(said.stdout)}\n[stderr]\n{_end(said.stderr)}"
    status = {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded"}
    return {"value": [{**status, "message": message}]}


def _post(call: Call) -> Response:
    machine = find(call, KIND)
    body = call.request.json()
    check_request_body("POST", f"{MACHINE_TYPE}/runCommand", body)
    if body["commandId"].lower() != _SHELL_SCRIPT.lower():
        message = f"The entity was not found in this Azure location. Run command id: {body['commandId']}"
        raise ArmError(404, "NotFound", message)
    check_not_busy(call, machine)
    if machine.private.get("power") != "running":
        raise _not_running()
    if call.world.operations.running_on(machine.id, _ACTION) is not None:
        message = (
            "Run command extension execution is in progress. Please wait for completion before invoking a run command."
        )
        raise ArmError(409, "Conflict", message)
    script = "\n".join(body.get("script") or []) + "\n"
    operation = call.world.operations.start(_ACTION, machine.id, call.fault, script=script)
    return Response(202, None, accepted_headers(call, KIND, operation, machine.region))


def _not_running() -> ArmError:
    return ArmError(409, "OperationNotAllowed", "Cannot modify extensions in the VM when the VM is not running.")


def _end(stream: bytes) -> str:
    return stream[-_KEPT_BYTES:].decode(errors="replace")


ROUTES = [Route("POST", f"{item_path(MACHINE_TYPE)}/runCommand", _post, MACHINE_TYPE)]
