"""What a principal may do: the signed-in user is Owner; a machine's identity has what was assigned to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import authorization_failed

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.http import Request
    from provisioning.rehearsal.arm.world import World

# Built-in roles by the last word of their definition's id.
_OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
_CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
_VM_CONTRIBUTOR = "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"
_READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete", "POST": "action"}


def check_rights(world: World, principal: str, request: Request) -> None:
    """Refuse what the principal was not given.

    Raises:
        ArmError: 403 AuthorizationFailed.
    """
    if principal == world.account.principal_id:
        return
    for assignment in world.store.all("Microsoft.Authorization/roleAssignments"):
        properties = assignment.properties
        in_scope = f"{request.path}/".lower().startswith(f"{properties['scope']}/".lower())
        role = str(properties["roleDefinitionId"]).rpartition("/")[2].lower()
        if properties["principalId"] == principal and in_scope and _allows(role, request):
            return
    raise authorization_failed(principal, _action(request), request.path)


def _allows(role: str, request: Request) -> bool:
    path = request.path.lower()
    if role == _OWNER:
        return True
    if role == _CONTRIBUTOR:
        return request.method in {"GET", "HEAD"} or "/microsoft.authorization/" not in path
    if role == _VM_CONTRIBUTOR:
        owned = ("/microsoft.compute/", "/microsoft.network/networkinterfaces/", "/microsoft.devtestlab/schedules/")
        return any(part in path for part in owned)
    return role == _READER and request.method in {"GET", "HEAD"}


def _action(request: Request) -> str:
    words = request.path.rpartition("/providers/")[2].split("/")
    verb = _VERBS[request.method]
    if request.method == "POST":
        return f"{'/'.join([words[0], *words[1:-1:2]])}/{words[-1]}/{verb}"
    return f"{'/'.join([words[0], *words[1::2]])}/{verb}"
