"""What is put, read and deleted by id alone: auto-shutdown schedules and role assignments."""

from __future__ import annotations

import copy
import re
import uuid
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.kinds import Kind
from provisioning.rehearsal.arm.operations import now_text
from provisioning.rehearsal.arm.regions import check_region
from provisioning.rehearsal.arm.resources.schedules import SCHEDULES, arm
from provisioning.rehearsal.arm.routing import Route
from provisioning.rehearsal.arm.standard import find, identity_of, item_path
from provisioning.rehearsal.arm.store import Resource

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.json_types import Json

_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"

SCHEDULE_KIND = Kind(SCHEDULES, rank=60, style="none")
ASSIGNMENT_KIND = Kind(_ASSIGNMENTS, rank=70, style="none")


def _put_schedule(call: Call) -> Response:
    group = call.living_group()
    schedule_id = call.resource_id(SCHEDULES, call.params["name"])
    body = call.request.json()
    wanted = body.get("properties") or {}
    region = check_region(str(body.get("location", "")), SCHEDULES)
    _check_schedule(schedule_id.name, wanted)
    existing = call.world.store.get(str(schedule_id))
    stored: Json = {**identity_of(schedule_id), "location": region, "tags": body.get("tags") or {}}
    made = existing.properties["createdDate"] if existing else now_text()
    guid = existing.properties["uniqueIdentifier"] if existing else str(uuid.uuid4())
    stored["properties"] = {**wanted, "createdDate": made, "provisioningState": "Succeeded", "uniqueIdentifier": guid}
    schedule = Resource(str(schedule_id), SCHEDULES, schedule_id.name, group.name, region, stored)
    arm(call.world, schedule)
    call.world.store.put(schedule)
    return Response(200 if existing else 201, copy.deepcopy(stored))


def _check_schedule(name: str, wanted: Json) -> None:
    machine = str(wanted.get("targetResourceId", "")).rpartition("/")[2]
    if name.lower() != f"shutdown-computevm-{machine}".lower():
        message = f"The schedule of a virtual machine must be named 'shutdown-computevm-{machine}'."
        raise ArmError(400, "InvalidScheduleId", message)
    if wanted.get("taskType") != "ComputeVmShutdownTask":
        raise ArmError(400, "InvalidTaskType", "The task type of the schedule must be 'ComputeVmShutdownTask'.")
    if not re.fullmatch(r"([01]\d|2[0-3])[0-5]\d", str((wanted.get("dailyRecurrence") or {}).get("time", ""))):
        raise ArmError(400, "InvalidSchedule", "The daily recurrence needs a time in the form 'HHmm'.")
    if wanted.get("timeZoneId", "UTC") != "UTC":
        raise ArmError(400, "InvalidTimeZone", "The rehearsal cloud knows only one time zone: UTC.")


def _get_schedule(call: Call) -> Response:
    return Response(200, copy.deepcopy(find(call, SCHEDULE_KIND).body))


def _delete_schedule(call: Call) -> Response:
    schedule_id = str(call.resource_id(SCHEDULES, call.params["name"]))
    known = call.world.store.get(schedule_id) is not None
    call.world.store.remove(schedule_id)
    return Response(200 if known else 204)


def _list_schedules(call: Call) -> Response:
    found = call.world.store.all(SCHEDULES, call.group().name)
    return Response(200, {"value": [copy.deepcopy(schedule.body) for schedule in found]})


def _scope(call: Call) -> str:
    return call.group().id if "group" in call.params else f"/subscriptions/{call.subscription}"


def _assignment_id(call: Call) -> str:
    return f"{_scope(call)}/providers/{_ASSIGNMENTS}/{call.params['name']}"


def _put_assignment(call: Call) -> Response:
    wanted = call.request.json().get("properties") or {}
    if not wanted.get("roleDefinitionId") or not wanted.get("principalId"):
        raise ArmError(
            400, "BadRequestFormat", "The request was incorrectly formatted: a role and a principal are needed."
        )
    _check_no_twin(call, wanted)
    assignment_id = _assignment_id(call)
    stored: Json = {"id": assignment_id, "type": _ASSIGNMENTS, "name": call.params["name"]}
    times = {"createdOn": now_text(), "updatedOn": now_text(), "createdBy": call.principal, "updatedBy": call.principal}
    kind = wanted.get("principalType", "ServicePrincipal")
    stored["properties"] = {**wanted, "principalType": kind, "scope": _scope(call), **times}
    call.world.store.put(Resource(assignment_id, _ASSIGNMENTS, call.params["name"], "", "global", stored))
    return Response(201, copy.deepcopy(stored))


def _check_no_twin(call: Call, wanted: Json) -> None:
    same = ("roleDefinitionId", "principalId")
    for other in call.world.store.all(_ASSIGNMENTS):
        equal = all(str(other.properties[key]).lower() == str(wanted[key]).lower() for key in same)
        if equal and other.properties["scope"].lower() == _scope(call).lower() and other.name != call.params["name"]:
            raise ArmError(409, "RoleAssignmentExists", "The role assignment already exists.")


def _get_assignment(call: Call) -> Response:
    found = call.world.store.get(_assignment_id(call))
    if found is None:
        message = f"The role assignment '{call.params['name']}' is not found."
        raise ArmError(404, "RoleAssignmentNotFound", message)
    return Response(200, copy.deepcopy(found.body))


def _list_assignments(call: Call) -> Response:
    """Those on the scope, and those on what is above it."""
    scope = f"{_scope(call)}/".lower()
    found = call.world.store.all(_ASSIGNMENTS)
    value = [each.body for each in found if scope.startswith(f"{each.properties['scope']}/".lower())]
    return Response(200, {"value": copy.deepcopy(value)})


def _delete_assignment(call: Call) -> Response:
    found = call.world.store.get(_assignment_id(call))
    if found is None:
        return Response(204)
    call.world.store.remove(found.id)
    return Response(200, copy.deepcopy(found.body))


_GROUP_SCOPE = "/subscriptions/{subscription}/resourceGroups/{group}"
_ROLE_PATHS = [
    f"{_GROUP_SCOPE}/providers/{_ASSIGNMENTS}/{{name}}",
    f"/subscriptions/{{subscription}}/providers/{_ASSIGNMENTS}/{{name}}",
]
ROUTES = [
    *(Route("GET", path.rpartition("/")[0], _list_assignments, _ASSIGNMENTS) for path in _ROLE_PATHS),
    Route("PUT", item_path(SCHEDULES), _put_schedule, SCHEDULES),
    Route("GET", item_path(SCHEDULES), _get_schedule, SCHEDULES),
    Route("DELETE", item_path(SCHEDULES), _delete_schedule, SCHEDULES),
    Route("GET", f"{_GROUP_SCOPE}/providers/{SCHEDULES}", _list_schedules, SCHEDULES),
    *(Route("PUT", path, _put_assignment, _ASSIGNMENTS) for path in _ROLE_PATHS),
    *(Route("GET", path, _get_assignment, _ASSIGNMENTS) for path in _ROLE_PATHS),
    *(Route("DELETE", path, _delete_assignment, _ASSIGNMENTS) for path in _ROLE_PATHS),
]
