"""The instance metadata service, over plain http: a key in the path stands for being inside the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.accounts import TOKEN_SECONDS
from provisioning.rehearsal.arm.compute.evictions import acknowledge, scheduled_events
from provisioning.rehearsal.arm.http import Response

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.http import Request
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.store import Resource
    from provisioning.rehearsal.arm.world import World


class MetadataApplication:
    """Answers what 169.254.169.254 answers inside a machine."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, request: Request) -> Response:
        """Answer one call."""
        words = request.path.strip("/").split("/")
        machine = self._machine(words[0])
        if machine is None:
            return Response(404)
        if request.headers.get("metadata", "").lower() != "true":
            return Response(400, {"error": "Bad request. Required metadata header not specified"})
        return self._metadata(machine, words[1:], request)

    def _machine(self, key: str) -> Resource | None:
        for machine in self._world.store.all("Microsoft.Compute/virtualMachines"):
            if machine.private["metadata_key"] == key:
                return machine
        return None

    def _metadata(self, machine: Resource, words: list[str], request: Request) -> Response:
        match words:
            case ["metadata", "instance"]:
                return Response(200, {"compute": _compute(self._world, machine)})
            case ["metadata", "instance", "compute"]:
                return Response(200, _compute(self._world, machine))
            case ["metadata", "identity", "oauth2", "token"]:
                return self._token(machine, request.query.get("resource", ""))
            case ["metadata", "scheduledevents"]:
                return self._events(machine, request)
        return Response(404, {"error": "Not found"})

    def _events(self, machine: Resource, request: Request) -> Response:
        if request.method == "POST":
            started = [str(entry.get("EventId")) for entry in request.json().get("StartRequests", [])]
            with self._world.store.lock:
                acknowledge(self._world, machine, started)
            return Response(200)
        return Response(200, scheduled_events(machine))

    def _token(self, machine: Resource, audience: str) -> Response:
        identity = machine.body.get("identity")
        if identity is None:
            return Response(400, {"error": "invalid_request", "error_description": "Identity not found"})
        token = self._world.account.token(identity["principalId"], audience, now=self._world.now())
        times = {"expires_in": str(TOKEN_SECONDS), "ext_expires_in": str(TOKEN_SECONDS)}
        return Response(200, {"access_token": token, "token_type": "Bearer", "resource": audience, **times})


def _compute(world: World, machine: Resource) -> Json:
    properties = machine.properties
    image = properties["storageProfile"]["imageReference"]
    tags = machine.body.get("tags") or {}
    return {
        "azEnvironment": "AzurePublicCloud",
        "location": machine.region,
        "name": machine.name,
        "osType": "Linux",
        "offer": image.get("offer", ""),
        "publisher": image.get("publisher", ""),
        "sku": image.get("sku", ""),
        "version": image.get("exactVersion", ""),
        "priority": properties.get("priority", "Regular"),
        "evictionPolicy": properties.get("evictionPolicy", ""),
        "resourceGroupName": machine.group,
        "resourceId": machine.id,
        "subscriptionId": world.account.subscription_id,
        "tags": ";".join(f"{name}:{value}" for name, value in tags.items()),
        "tagsList": [{"name": name, "value": value} for name, value in tags.items()],
        "vmId": properties["vmId"],
        "vmSize": properties["hardwareProfile"]["vmSize"],
        "zone": (machine.body.get("zones") or [""])[0],
    }
