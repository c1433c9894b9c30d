"""A body that breaks the contract, refused in the words of the provider that reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError

if TYPE_CHECKING:
    from provisioning.azure.request_models import BodyProblem
    from provisioning.rehearsal.arm.json_types import Json


def check_request_body(method: str, resource_type: str, body: Json) -> None:
    """Check a body against the SDK's own model.

    Raises:
        ArmError: 400 about the first thing that is wrong with it.
    """
    from provisioning.azure.request_models import check_body

    problems = check_body(method, resource_type, body)
    if not problems:
        return
    namespace = resource_type.partition("/")[0].lower()
    raise _WORDING.get(namespace, _compute)(problems[0])


def _compute(problem: BodyProblem) -> ArmError:
    last = problem.path.rpartition(".")[2]
    if problem.kind == "missing":
        return ArmError(400, "InvalidParameter", f"Required parameter '{problem.path}' is missing (null).", target=last)
    if problem.kind == "read-only":
        return ArmError(400, "InvalidParameter", f"Parameter '{problem.path}' is not allowed.", target=last)
    return ArmError(400, "BadRequest", _parser_words(problem))


def _network(problem: BodyProblem) -> ArmError:
    inner = {
        "missing": ("MissingRequiredProperty", f"Required property '{problem.path}' is missing."),
        "read-only": ("ReadOnlyPropertySet", f"Property '{problem.path}' is read-only and cannot be set."),
    }.get(problem.kind, ("InvalidJson", _parser_words(problem)))
    details = [{"code": inner[0], "message": inner[1]}]
    return ArmError(400, "InvalidRequestFormat", "Cannot parse the request.", details=details)


def _gateway(problem: BodyProblem) -> ArmError:
    reason = _parser_words(problem)
    if problem.kind == "missing":
        reason = f"Required property '{problem.path}' not found in JSON. Path '{problem.path}'."
    if problem.path == "location":
        return ArmError(400, "LocationRequired", "The location property is required for this definition.")
    message = f"The request content was invalid and could not be deserialized: '{reason}'."
    return ArmError(400, "InvalidRequestContent", message)


def _parser_words(problem: BodyProblem) -> str:
    if problem.kind == "unknown":
        last = problem.path.rpartition(".")[2]
        return f"Could not find member '{last}' on object of type '{problem.model}'. Path '{problem.path}'."
    if problem.kind == "read-only":
        return f"Property '{problem.path}' on object of type '{problem.model}' is read-only."
    return f"Error converting value at path '{problem.path}': expected {problem.detail}."


_WORDING = {
    "microsoft.compute": _compute,
    "microsoft.network": _network,
    "microsoft.resources": _gateway,
}
