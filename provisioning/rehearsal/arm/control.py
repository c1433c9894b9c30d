"""The private door for ourselves and for tests: health, faults, settings, where a machine listens, going away."""

from __future__ import annotations

import dataclasses
import hmac
import os
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.faults import Fault
from provisioning.rehearsal.arm.http import Response, error_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioning.rehearsal.arm.http import Application, Request
    from provisioning.rehearsal.arm.world import World

PREFIX = "/llamalift"


class ControlApplication:
    """Answers calls under `/llamalift` that carry the account's secret; hands the others on."""

    def __init__(self, world: World, others: Application, leave: Callable[[], None]) -> None:
        self._world = world
        self._others = others
        self._leave = leave

    def __call__(self, request: Request) -> Response:
        """Answer one call."""
        if not request.path.startswith(f"{PREFIX}/"):
            return self._others(request)
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Secret {self._world.account.client_secret}".encode()):
            return Response(401)
        try:
            return self._answer(request, request.path.removeprefix(f"{PREFIX}/").split("/"))
        except ArmError as error:
            return error_response(error)

    def _answer(self, request: Request, words: list[str]) -> Response:
        match request.method, words:
            case "GET", ["health"]:
                return Response(200, {"pid": os.getpid(), "empty": self._world.empty})
            case "GET", ["machines", address]:
                return self._machine(address)
            case "POST", ["stop-if-empty"]:
                return self._stop_if_empty()
            case "PATCH", ["settings"]:
                return self._settings(request)
            case method, ["faults"] if method in {"GET", "PUT"}:
                return self._faults(request)
        return Response(404)

    def _faults(self, request: Request) -> Response:
        if request.method == "PUT":
            self._world.faults.replace([Fault.from_json(fault) for fault in request.json()["faults"]])
        return Response(200, {"matched": self._world.faults.matched()})

    def _machine(self, address: str) -> Response:
        port = self._world.machines.port_at(address)
        return Response(404) if port is None else Response(200, {"port": port})

    def _settings(self, request: Request) -> Response:
        known = {each.name for each in dataclasses.fields(self._world.settings)}
        for name, value in request.json().items():
            if name not in known:
                raise ArmError(400, "InvalidSetting", f"unknown setting: {name}")
            setattr(self._world.settings, name, value)
        return Response(200, {})

    def _stop_if_empty(self) -> Response:
        empty = self._world.empty
        if empty:
            self._leave()
        return Response(200, {"stopping": empty})
