"""What a principal may do: the signed-in user has the role of the settings, a machine's identity what was assigned."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import authorization_failed
from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.roles import ROLES
from provisioning.rehearsal.arm.routing import Route

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.http import Request
    from provisioning.rehearsal.arm.roles import Role
    from provisioning.rehearsal.arm.world import World

_PERMISSIONS = "Microsoft.Authorization/permissions"
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete", "POST": "action"}
_SPELLINGS = {"resourcegroups": "resourceGroups"}


def check_rights(world: World, principal: str, request: Request) -> None:
    """Refuse what the principal was not given.

    Raises:
        ArmError: 403 AuthorizationFailed.
    """
    action = _action(request)
    if not any(_allows(role, action) for role in _roles_of(world, principal, request.path)):
        raise authorization_failed(principal, action, request.path)


def _roles_of(world: World, principal: str, path: str) -> Iterator[Role]:
    """The roles that count for a path."""
    if principal == world.account.principal_id:
        yield from (role for role in ROLES.values() if role.name == world.settings.caller_role)
    for assignment in world.store.all("Microsoft.Authorization/roleAssignments"):
        properties = assignment.properties
        in_scope = f"{path}/".lower().startswith(f"{properties['scope']}/".lower())
        role = ROLES.get(str(properties["roleDefinitionId"]).rpartition("/")[2].lower())
        if role is not None and properties["principalId"] == principal and in_scope:
            yield role


def _allows(role: Role, action: str) -> bool:
    return _matches(role.actions, action) and not _matches(role.not_actions, action)


def _matches(patterns: Iterable[str], action: str) -> bool:
    """A `*` may stand for several words of the path."""
    return any(
        re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), action, re.IGNORECASE) for pattern in patterns
    )


def _action(request: Request) -> str:
    """The name of what is asked for, for example `Microsoft.Compute/virtualMachines/write`."""
    _, in_provider, after = request.path.rpartition("/providers/")
    verb = _VERBS[request.method]
    if not in_provider:
        kinds = [_SPELLINGS.get(word.lower(), word) for word in request.path.strip("/").split("/")[0::2]]
        return f"Microsoft.Resources/{'/'.join(kinds)}/{verb}"
    words = after.split("/")
    if words[0].lower() == "microsoft.resourcegraph":
        return "Microsoft.ResourceGraph/resources/read"
    if request.method == "POST":
        return f"{'/'.join([words[0], *words[1:-1:2]])}/{words[-1]}/{verb}"
    return f"{'/'.join([words[0], *words[1::2]])}/{verb}"


def _list_permissions(call: Call) -> Response:
    roles = _roles_of(call.world, call.principal, call.request.path.rpartition("/providers/")[0])
    return Response(
        200,
        {
            "value": [
                {
                    "actions": list(role.actions),
                    "notActions": list(role.not_actions),
                    "dataActions": [],
                    "notDataActions": [],
                }
                for role in roles
            ]
        },
    )


ROUTES = [
    Route("GET", f"/subscriptions/{{subscription}}/providers/{_PERMISSIONS}", _list_permissions, _PERMISSIONS),
    Route(
        "GET",
        f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{_PERMISSIONS}",
        _list_permissions,
        _PERMISSIONS,
    ),
]
