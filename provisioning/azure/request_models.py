"""Request bodies checked against the SDK's own models: what Azure would refuse is refused before (or instead of) Azure.

The SDKs send a plain dictionary unchanged, so a misspelt key would travel silently. Their models carry, for every
field, the name on the wire, the type annotation and the visibility; that is all a check needs. ARM answers such bodies
with a 400.
"""

from __future__ import annotations

import base64
import binascii
import enum
import importlib
import types
import typing
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ProblemKind: TypeAlias = Literal["unknown", "mistyped", "missing", "read-only"]

_COMPUTE = "azure.mgmt.compute.models"
_NETWORK = "azure.mgmt.network.models"
_RESOURCES = "azure.mgmt.resource.resources.models"

# (HTTP method, resource type) -> (package, model); types are lower case because ARM ignores case.
_MODELS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("PUT", "microsoft.compute/virtualmachines"): (_COMPUTE, "VirtualMachine"),
    ("PATCH", "microsoft.compute/virtualmachines"): (_COMPUTE, "VirtualMachineUpdate"),
    ("POST", "microsoft.compute/virtualmachines/runcommand"): (_COMPUTE, "RunCommandInput"),
    ("PUT", "microsoft.compute/availabilitysets"): (_COMPUTE, "AvailabilitySet"),
    ("PUT", "microsoft.compute/disks"): (_COMPUTE, "Disk"),
    ("PATCH", "microsoft.compute/disks"): (_COMPUTE, "DiskUpdate"),
    ("PUT", "microsoft.compute/snapshots"): (_COMPUTE, "Snapshot"),
    ("PATCH", "microsoft.compute/snapshots"): (_COMPUTE, "SnapshotUpdate"),
    ("PUT", "microsoft.network/virtualnetworks"): (_NETWORK, "VirtualNetwork"),
    ("PUT", "microsoft.network/virtualnetworks/subnets"): (_NETWORK, "Subnet"),
    ("PUT", "microsoft.network/networksecuritygroups"): (_NETWORK, "NetworkSecurityGroup"),
    ("PUT", "microsoft.network/networksecuritygroups/securityrules"): (_NETWORK, "SecurityRule"),
    ("PUT", "microsoft.network/publicipaddresses"): (_NETWORK, "PublicIPAddress"),
    ("PUT", "microsoft.network/networkinterfaces"): (_NETWORK, "NetworkInterface"),
    ("PATCH", "microsoft.network/virtualnetworks"): (_NETWORK, "TagsObject"),
    ("PATCH", "microsoft.network/networksecuritygroups"): (_NETWORK, "TagsObject"),
    ("PATCH", "microsoft.network/publicipaddresses"): (_NETWORK, "TagsObject"),
    ("PATCH", "microsoft.network/networkinterfaces"): (_NETWORK, "TagsObject"),
    ("PUT", "microsoft.resources/resourcegroups"): (_RESOURCES, "ResourceGroup"),
    ("PATCH", "microsoft.resources/resourcegroups"): (_RESOURCES, "ResourceGroupPatchable"),
}


# Sizes come faster than SDK releases: the SDK's list has no A100 in it.
_OPEN_ENUMS = frozenset({"VirtualMachineSizeTypes"})


@dataclass(frozen=True, slots=True)
class BodyProblem:
    """One thing in a request body that the service's contract does not allow.

    Attributes:
        kind: What is wrong.
        path: Where, as `properties.osProfile.adminUsername` or `properties.subnets[0].name`.
        model: Name of the model that the field belongs to.
        detail: What was expected, in a few words.
    """

    kind: ProblemKind
    path: str
    model: str
    detail: str


@dataclass(frozen=True, slots=True)
class _Field:
    hint: Any
    required: bool
    read_only: bool


def check_body(method: str, resource_type: str, body: Mapping[str, Any]) -> list[BodyProblem]:
    """Everything that is wrong with `body`, in the order of the body; empty when it is sound.

    Args:
        method: `PUT`, `PATCH` or `POST`.
        resource_type: For example `Microsoft.Compute/virtualMachines`, in any case.
        body: The body as it goes over the wire.

    Raises:
        KeyError: There is no model for this method and type.
    """
    package, name = _MODELS[method, resource_type.lower()]
    model = getattr(importlib.import_module(package), name)
    return list(_check_model(model, body, "", echoed=False))


def _check_model(model: type, body: object, path: str, *, echoed: bool) -> Iterator[BodyProblem]:
    if not isinstance(body, dict):
        yield BodyProblem("mistyped", path, model.__name__, "an object")
        return
    fields = _fields(model)
    # What a GET returned may be handed in again as a reference: the service then looks at nothing but its id.
    echoed = echoed or (path != "" and bool(body.get("id")) and "id" in fields and not fields["id"].read_only)
    for key, value in body.items():
        here = f"{path}.{key}" if path else key
        known = fields.get(key)
        if known is None:
            yield BodyProblem("unknown", here, model.__name__, f"one of {', '.join(fields)}")
        elif not known.read_only:
            yield from _check_value(known.hint, value, here, model, echoed=echoed)
        elif not echoed and value is not None:
            yield BodyProblem("read-only", here, model.__name__, "nothing: the service sets it")
    for key, field in fields.items():
        if field.required and not echoed and body.get(key) is None:
            yield BodyProblem("missing", f"{path}.{key}" if path else key, model.__name__, "a value")


def _check_value(hint: Any, value: object, path: str, model: type, *, echoed: bool) -> Iterator[BodyProblem]:  # noqa: ANN401 - a type annotation
    origin = typing.get_origin(hint)
    if origin in {typing.Union, types.UnionType}:
        yield from _check_union(typing.get_args(hint), value, path, model, echoed=echoed)
    elif origin is list:
        yield from _check_list(typing.get_args(hint)[0], value, path, model, echoed=echoed)
    elif origin is dict:
        yield from _check_dict(typing.get_args(hint)[1], value, path, model, echoed=echoed)
    elif isinstance(hint, type) and hasattr(hint, "_is_model"):
        yield from _check_model(hint, value, path, echoed=echoed)
    elif not _fits(hint, value):
        yield BodyProblem("mistyped", path, model.__name__, getattr(hint, "__name__", str(hint)))


def _check_union(
    choices: tuple[Any, ...], value: object, path: str, model: type, *, echoed: bool
) -> Iterator[BodyProblem]:
    present = [choice for choice in choices if choice is not type(None)]
    if value is None and len(present) < len(choices):
        return
    # `Union[str, SomeEnum]` is how the SDK writes an enum that it also takes as text: the enum decides.
    enums = [choice for choice in present if isinstance(choice, type) and issubclass(choice, enum.Enum)]
    if enums:
        present = enums
    attempts = [list(_check_value(choice, value, path, model, echoed=echoed)) for choice in present]
    yield from min(attempts, key=len)


def _check_list(item: Any, value: object, path: str, model: type, *, echoed: bool) -> Iterator[BodyProblem]:  # noqa: ANN401 - a type annotation
    if not isinstance(value, list):
        yield BodyProblem("mistyped", path, model.__name__, "an array")
        return
    for index, element in enumerate(value):
        yield from _check_value(item, element, f"{path}[{index}]", model, echoed=echoed)


def _check_dict(item: Any, value: object, path: str, model: type, *, echoed: bool) -> Iterator[BodyProblem]:  # noqa: ANN401 - a type annotation
    if not isinstance(value, dict):
        yield BodyProblem("mistyped", path, model.__name__, "an object")
        return
    for key, element in value.items():
        yield from _check_value(item, element, f"{path}.{key}", model, echoed=echoed)


def _fits(hint: Any, value: object) -> bool:  # noqa: ANN401, PLR0911 - a type annotation; one line per JSON type
    if hint is Any or hint is object:
        return True
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return isinstance(value, str) and (
            hint.__name__ in _OPEN_ENUMS or value.lower() in {str(member.value).lower() for member in hint}
        )
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is bytes:
        return isinstance(value, str) and _is_base64(value)
    if hint is datetime:
        return isinstance(value, str) and _is_time(value)
    return isinstance(value, str)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return True


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


@cache
def _fields(model: type) -> Mapping[str, _Field]:
    hints = _hints(model)
    fields: dict[str, _Field] = {}
    for owner in reversed(model.__mro__):
        for attribute, declared in vars(owner).items():
            if hasattr(declared, "_rest_name_input"):
                fields[declared._rest_name_input or attribute] = _field(declared, hints[attribute])  # noqa: SLF001 - no public door
    return fields


def _field(declared: Any, hint: Any) -> _Field:  # noqa: ANN401 - the SDK's own private class
    read_only = declared._visibility == ["read"]  # noqa: SLF001 - no public door
    optional = type(None) in typing.get_args(hint)
    return _Field(hint, required=not optional and not read_only, read_only=read_only)


def _hints(model: type) -> dict[str, Any]:
    # The annotations name the models through a module alias that exists for type checkers only.
    package = model.__module__.rpartition(".")[0]
    return typing.get_type_hints(model, localns={"_models": importlib.import_module(package)})
