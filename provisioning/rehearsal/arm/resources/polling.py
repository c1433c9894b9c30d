"""Where operations are polled: one answer per provider's habit."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.routing import Route

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.operations import Operation

_COMPUTE_TYPE = "Microsoft.Compute/locations/operations"
_NETWORK_TYPE = "Microsoft.Network/locations/operations"
_GROUP_TYPE = "Microsoft.Resources/operationresults"
_AGAIN = {"x-ms-retry-after-ms": "100"}
_GROUP_JOB = "RESOURCEGROUPDELETIONJOB-"


def _operation(call: Call, operation_id: str) -> Operation:
    call.world.urls.check(call.request.path, call.request.query)
    found = call.world.operations.get(operation_id)
    if found is None:
        raise ArmError(404, "NotFound", f"The operation '{operation_id}' was not found.")
    return found


def _poll_compute(call: Call) -> Response:
    operation = _operation(call, call.params["operation"])
    if call.request.query.get("monitor") == "true":
        return _monitor(call, operation)
    body: Json = {"startTime": operation.started_at}
    if operation.ended_at:
        body["endTime"] = operation.ended_at
    body["status"] = operation.status
    if operation.output is not None:
        body["properties"] = {"output": operation.output}
    if operation.error is not None:
        body["error"] = operation.error
    body["name"] = operation.id
    return Response(200, body, _pace(operation))


def _poll_network(call: Call) -> Response:
    operation = _operation(call, call.params["operation"])
    body: Json = {"status": operation.status}
    if operation.error is not None:
        body["error"] = operation.error
    return Response(200, body, _pace(operation))


def _network_result(call: Call) -> Response:
    return _monitor(call, _operation(call, call.params["operation"]))


def _monitor(call: Call, operation: Operation) -> Response:
    if operation.status == "InProgress":
        here = f"{call.world.urls.base_url}{call.request.target}"
        return Response(202, None, {"Location": here, **_AGAIN})
    if operation.error is not None:
        return Response(operation.error_status, {"error": operation.error})
    return Response(200, operation.output)


def _poll_group(call: Call) -> Response:
    return _monitor(call, _operation(call, _job(call.params["job"])))


def _job(token: str) -> str:
    try:
        job = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return str(job["jobId"]).removeprefix(_GROUP_JOB)
    except (binascii.Error, ValueError, KeyError) as error:
        raise ArmError(400, "InvalidOperationId", f"The operation id is malformed: {token}") from error


def _pace(operation: Operation) -> dict[str, str]:
    return dict(_AGAIN) if operation.status == "InProgress" else {}


_COMPUTE = "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}"
_NETWORK = "/subscriptions/{subscription}/providers/Microsoft.Network/locations/{location}"
ROUTES = [
    Route("GET", f"{_COMPUTE}/operations/{{operation}}", _poll_compute, _COMPUTE_TYPE),
    Route("GET", f"{_COMPUTE}/DiskOperations/{{operation}}", _poll_compute, _COMPUTE_TYPE),
    Route("GET", f"{_NETWORK}/operations/{{operation}}", _poll_network, _NETWORK_TYPE),
    Route("GET", f"{_NETWORK}/operationResults/{{operation}}", _network_result, _NETWORK_TYPE),
    Route("GET", "/subscriptions/{subscription}/operationresults/{job}", _poll_group, _GROUP_TYPE),
]
