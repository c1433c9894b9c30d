"""Resource providers and their registration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.api_versions import KNOWN
from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.regions import REGIONS
from provisioning.rehearsal.arm.routing import Route

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.world import World

_TYPE = "Microsoft.Resources/providers"
_PREFIX = "registration:"
_AT_FIRST = {
    "microsoft.compute": ("Microsoft.Compute", "Registered"),
    "microsoft.network": ("Microsoft.Network", "Registered"),
    "microsoft.resources": ("Microsoft.Resources", "Registered"),
    "microsoft.authorization": ("Microsoft.Authorization", "Registered"),
    "microsoft.resourcegraph": ("Microsoft.ResourceGraph", "Registered"),
    "microsoft.devtestlab": ("Microsoft.DevTestLab", "NotRegistered"),
}


def check_registered(world: World, resource_type: str) -> None:
    """Refuse a call to a provider that the subscription is not registered for.

    Raises:
        ArmError: 409 MissingSubscriptionRegistration.
    """
    key = resource_type.partition("/")[0].lower()
    if key in _AT_FIRST and _state(world, key) != "Registered":
        namespace = _AT_FIRST[key][0]
        message = (
            f"The subscription is not registered to use namespace '{namespace}'. See https://aka.ms/rps-not-found for "
            "how to register subscriptions."
        )
        code = "MissingSubscriptionRegistration"
        raise ArmError(409, code, message, details=[{"code": code, "target": namespace, "message": message}])


def _state(world: World, key: str) -> str:
    known = world.store.facts(f"{_PREFIX}{key}")
    if known:
        return str(next(iter(known.values()))["state"])
    namespace, at_first = _AT_FIRST[key]
    return "NotRegistered" if namespace in world.settings.unregistered_providers else at_first


def _body(call: Call, key: str, state: str | None = None) -> Json:
    namespace = _AT_FIRST[key][0]
    types = [
        {
            "resourceType": resource_type.partition("/")[2],
            "locations": list(REGIONS),
            "apiVersions": list(versions),
            "capabilities": "SupportsTags, SupportsLocation",
        }
        for resource_type, versions in KNOWN.items()
        if resource_type.partition("/")[0].lower() == key
    ]
    return {
        "id": f"/subscriptions/{call.subscription}/providers/{namespace}",
        "namespace": namespace,
        "resourceTypes": types,
        "registrationState": state or _state(call.world, key),
        "registrationPolicy": "RegistrationRequired",
    }


def _key(call: Call) -> str:
    key = call.params["namespace"].lower()
    if key not in _AT_FIRST:
        message = f"The resource namespace '{call.params['namespace']}' is invalid."
        raise ArmError(404, "InvalidResourceNamespace", message)
    return key


def _get(call: Call) -> Response:
    return Response(200, _body(call, _key(call)))


def _list(call: Call) -> Response:
    return Response(200, {"value": [_body(call, key) for key in _AT_FIRST]})


def _register(call: Call) -> Response:
    key = _key(call)
    before = _state(call.world, key)
    call.world.store.put_fact(f"{_PREFIX}{key}", {"state": "Registered"})
    # As on Azure, the answer is "Registering"; whoever looks again finds it done.
    return Response(200, _body(call, key, "Registered" if before == "Registered" else "Registering"))


def _unregister(call: Call) -> Response:
    key = _key(call)
    call.world.store.put_fact(f"{_PREFIX}{key}", {"state": "NotRegistered"})
    return Response(200, _body(call, key, "Unregistering"))


_ITEM = "/subscriptions/{subscription}/providers/{namespace}"
ROUTES = [
    Route("GET", "/subscriptions/{subscription}/providers", _list, _TYPE),
    Route("GET", _ITEM, _get, _TYPE),
    Route("POST", f"{_ITEM}/register", _register, _TYPE),
    Route("POST", f"{_ITEM}/unregister", _unregister, _TYPE),
]
