"""Locks on a group or on what is in it, and the refusal of what they forbid."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.kinds import Kind
from provisioning.rehearsal.arm.routing import Route
from provisioning.rehearsal.arm.store import Resource

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.http import Request
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.world import World

_TYPE = "Microsoft.Authorization/locks"
_MARK = f"/providers/{_TYPE}/".lower()
_LEVELS = ("CanNotDelete", "ReadOnly")

KIND = Kind(_TYPE, rank=80, style="none")


def check_locks(world: World, request: Request) -> None:
    """Refuse a deletion of what is locked, or of a group with something locked in it; and any write under `ReadOnly`.

    Raises:
        ArmError: 409 ScopeLocked.
    """
    path = f"{request.path}/".lower()
    if request.method in {"GET", "HEAD"} or _MARK in path:
        return
    locked = [lock for lock in world.store.all(_TYPE) if _forbids(lock, path, request.method)]
    if locked:
        verb = "delete" if request.method == "DELETE" else "write"
        scopes = ", ".join(f"'{scope_of(lock)}'" for lock in locked)
        message = (
            f"The scope '{request.path}' cannot perform {verb} operation because following scope(s) are locked: "
            f"{scopes}. Please remove the lock and try again."
        )
        raise ArmError(409, "ScopeLocked", message)


def scope_of(lock: Resource) -> str:
    """What a lock is on."""
    return lock.id[: lock.id.lower().rindex(_MARK)]


def _forbids(lock: Resource, path: str, method: str) -> bool:
    scope = f"{scope_of(lock)}/".lower()
    if method == "DELETE":
        return path.startswith(scope) or scope.startswith(path)
    return lock.properties["level"] == "ReadOnly" and path.startswith(scope)


def _id(call: Call) -> str:
    # As it came, because the scope may be anything; the store ignores case.
    return call.request.path


def _put(call: Call) -> Response:
    group = call.group()
    wanted = call.request.json().get("properties") or {}
    if wanted.get("level") not in _LEVELS:
        raise ArmError(400, "LockLevelNotValid", f"The lock level must be one of: {', '.join(_LEVELS)}.")
    known = call.world.store.get(_id(call)) is not None
    stored: Json = {"id": _id(call), "type": _TYPE, "name": call.params["lock"], "properties": dict(wanted)}
    call.world.store.put(Resource(_id(call), _TYPE, call.params["lock"], group.name, "global", stored))
    return Response(200 if known else 201, copy.deepcopy(stored))


def _delete(call: Call) -> Response:
    found = call.world.store.get(_id(call))
    if found is None:
        return Response(204)
    call.world.store.remove(found.id)
    return Response(200)


_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"
_PATHS = [
    f"{_GROUP}/providers/{_TYPE}/{{lock}}",
    f"{_GROUP}/providers/{{namespace}}/{{kind}}/{{name}}/providers/{_TYPE}/{{lock}}",
]
ROUTES = [
    *(Route("PUT", path, _put, _TYPE) for path in _PATHS),
    *(Route("DELETE", path, _delete, _TYPE) for path in _PATHS),
]
