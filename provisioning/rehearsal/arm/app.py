"""Every call from the socket to its answer: faults, sign-in, api-version, route, rights, headers."""

from __future__ import annotations

import hmac
import time
import traceback
import uuid
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.api_versions import check_api_version
from provisioning.rehearsal.arm.call import Call
from provisioning.rehearsal.arm.compute.machines import serial_signature
from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.http import DroppedConnectionError, Response, error_response
from provisioning.rehearsal.arm.prices.feed import answer_prices
from provisioning.rehearsal.arm.resources.locks import check_locks
from provisioning.rehearsal.arm.resources.providers import check_registered
from provisioning.rehearsal.arm.rights import check_rights
from provisioning.rehearsal.arm.routes import ROUTES
from provisioning.rehearsal.arm.routing import Router
from provisioning.rehearsal.arm.sign_in import answer_sign_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.rehearsal.arm.faults import Fault
    from provisioning.rehearsal.arm.http import Request
    from provisioning.rehearsal.arm.world import World

# What ARM reports as left of each bucket when the caller has been quiet.
_LEFT = {"GET": ("reads", "3749"), "HEAD": ("reads", "3749"), "DELETE": ("deletes", "2999")}
_WRITES = ("writes", "2999")
_OUR_PACE = "x-ms-retry-after-ms"
_ALWAYS = {
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Expires": "-1",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Cache": "CONFIG_NOCACHE",
}


class ArmApplication:
    """Answers what management.azure.com and the sign-in service answer."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._router = Router(ROUTES)

    def __call__(self, request: Request) -> Response:
        """Answer one call and write it into the log.

        Raises:
            DroppedConnectionError: A scripted fault wants the connection closed.
        """
        began_at, began, status = time.time(), time.monotonic(), 0
        try:
            response = self._struck_or_answered(request)
            status = response.status
        finally:
            principal = self._world.account.known_principal(
                request.headers.get("authorization", ""), now=self._world.now()
            )
            seconds = time.monotonic() - began
            self._world.requests.add(request, status=status, principal=principal, began_at=began_at, seconds=seconds)
        return response

    def _struck_or_answered(self, request: Request) -> Response:
        time.sleep(self._world.settings.latencies.of_journey)
        fault = self._world.faults.take(request.method, request.path)
        if fault is not None:
            time.sleep(fault.delay_seconds)
            if fault.replaces_answer and fault.when == "before":
                return self._dressed(request, _scripted(fault))
        response = self._answer(request, fault)
        if fault is not None and fault.replaces_answer:
            response = _scripted(fault)
        return self._dressed(request, response)

    def _answer(self, request: Request, fault: Fault | None) -> Response:
        try:
            return (
                answer_sign_in(request, self._world)
                or self._serial_log(request)
                or answer_prices(request, self._world)
                or self._arm(request, fault)
            )
        except ArmError as error:
            return error_response(error)
        except Exception:  # noqa: BLE001 - a fault of ours is a 500, as it is on Azure
            traceback.print_exc()
            return error_response(ArmError(500, "InternalServerError", "The rehearsal cloud failed: see its log."))

    def _arm(self, request: Request, fault: Fault | None) -> Response:
        world = self._world
        principal = world.account.principal_of(request.headers.get("authorization", ""), now=world.now())
        route, params = self._router.find(request.method, request.path)
        subscription = params.get("subscription", world.account.subscription_id)
        if subscription.lower() != world.account.subscription_id:
            message = f"The subscription '{subscription}' could not be found."
            raise ArmError(404, "SubscriptionNotFound", message)
        check_api_version(request.query.get("api-version"), route.resource_type)
        check_rights(world, principal, request)
        time.sleep(world.settings.latencies.of_call(request.method, route.resource_type))
        check_locks(world, request)
        call = Call(world, request, params, principal, fault)
        # One call at a time changes the cloud; what takes time happens in operations, outside the lock.
        with world.store.lock:
            if request.method == "PUT":
                check_registered(world, route.resource_type)
            return route.handler(call)

    def _serial_log(self, request: Request) -> Response | None:
        """A serial log, readable by whoever has its signed URL, as on Azure's storage."""
        words = request.path.strip("/").split("/")
        if len(words) != 3 or words[0] != "bootdiagnostics":
            return None
        expected = serial_signature(self._world.account.key, words[1])
        if not hmac.compare_digest(expected, request.query.get("sig", "")):
            return Response(403, text=b"AuthenticationFailed")
        for machine in self._world.store.all("Microsoft.Compute/virtualMachines"):
            if machine.properties["vmId"] == words[1] and words[2] == "serialconsole.log":
                return Response(200, text=self._world.machines.console_log(words[1]))
        return Response(404, text=b"BlobNotFound")

    def _dressed(self, request: Request, response: Response) -> Response:
        request_id = str(uuid.uuid4())
        headers = {
            **_ALWAYS,
            "x-ms-request-id": request_id,
            "x-ms-correlation-request-id": request.headers.get("x-ms-correlation-request-id", request_id),
            "x-ms-routing-request-id": f"REHEARSAL:{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}:{request_id}",
        }
        client_id = request.headers.get("x-ms-client-request-id")
        if client_id and request.headers.get("x-ms-return-client-request-id") == "true":
            headers["x-ms-client-request-id"] = client_id
        if "x-ms-failure-cause" not in response.headers:
            kind, left = _LEFT.get(request.method, _WRITES)
            headers[f"x-ms-ratelimit-remaining-subscription-global-{kind}"] = left
        return Response(response.status, response.body, {**headers, **self._paced(response)}, response.text)

    def _paced(self, response: Response) -> Mapping[str, str]:
        """What says when to look again, in the words of ARM where the cloud takes its time."""
        asked = self._world.settings.latencies.retry_after_seconds
        if not asked or _OUR_PACE not in response.headers:
            return response.headers
        others = {name: value for name, value in response.headers.items() if name != _OUR_PACE}
        return {**others, "Retry-After": str(asked)}


def _scripted(fault: Fault) -> Response:
    if fault.drop:
        raise DroppedConnectionError
    return fault.response()
