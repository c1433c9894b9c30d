"""The private door for ourselves and for tests: health, faults, settings, clock, evictions, what was done, leaving."""

from __future__ import annotations

import dataclasses
import hmac
import os
import threading
from typing import TYPE_CHECKING

from provisioning.processes import is_running
from provisioning.rehearsal.arm.clock import jump
from provisioning.rehearsal.arm.compute.evictions import announce
from provisioning.rehearsal.arm.compute.references import MACHINE_TYPE
from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.faults import Fault
from provisioning.rehearsal.arm.http import Response, error_response
from provisioning.rehearsal.arm.latencies import Latencies

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioning.rehearsal.arm.http import Application, Request
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.world import World

PREFIX = "/llamalift"


class ControlApplication:
    """Answers calls under `/llamalift` that carry the account's secret; hands the others on."""

    def __init__(self, world: World, others: Application, leave: Callable[[], None]) -> None:
        self._world = world
        self._others = others
        self._leave = leave
        self._lock = threading.Lock()
        self._clients: dict[str, int] = {}
        self._leaving = False

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
        return self._look(request, words) or self._change(request, words) or Response(404)

    def _look(self, request: Request, words: list[str]) -> Response | None:
        match request.method, words:
            case "GET", ["health" | "witness" as what]:
                return Response(200, self._health() if what == "health" else self._witness())
            case "GET", ["machines", address]:
                return Response(200, {"ports": self._world.machines.ports_at(address)})
            case method, ["clients", client] if method in {"PUT", "DELETE"}:
                return self._greet(client, request) if method == "PUT" else self._part(client)
        return None

    def _change(self, request: Request, words: list[str]) -> Response | None:
        match request.method, words:
            case "POST", ["clock"]:
                jump(self._world, float(request.json()["jump_seconds"]))
                return Response(200, {"now": self._world.now_text()})
            case "POST", ["evictions"]:
                return self._evict(request)
            case "PATCH", ["settings"]:
                return self._settings(request)
            case "GET", ["requests"]:
                logged = self._world.requests.after(int(request.query.get("after", "0")))
                return Response(200, {"requests": [dataclasses.asdict(one) for one in logged]})
            case method, ["faults"] if method in {"GET", "PUT"}:
                return self._faults(request)
        return None

    def _health(self) -> Json:
        return {"pid": os.getpid(), "empty": self._world.empty}

    def _witness(self) -> Json:
        existing = [resource.id for resource in self._world.store.all()]
        return {"existing": existing, "busy": self._world.operations.busy, "machines": self._world.witness.report()}

    def _faults(self, request: Request) -> Response:
        if request.method == "PUT":
            self._world.faults.replace([Fault.from_json(fault) for fault in request.json().get("faults", [])])
        return Response(200, {"matched": self._world.faults.matched(), "struck": self._world.faults.struck()})

    def _evict(self, request: Request) -> Response:
        """Take a machine away, spot or not, whatever its policy: `{"machine": name, "notice_seconds": n}`."""
        wanted = request.json()
        with self._world.store.lock:
            for machine in self._world.store.all(MACHINE_TYPE):
                if machine.name == wanted["machine"]:
                    announce(self._world, machine, float(wanted.get("notice_seconds", 0.0)))
                    return Response(200, {})
        raise ArmError(404, "NotFound", f"no such machine: {wanted['machine']}")

    def _settings(self, request: Request) -> Response:
        known = {each.name for each in dataclasses.fields(self._world.settings)}
        for name, value in request.json().items():
            if name not in known:
                raise ArmError(400, "InvalidSetting", f"unknown setting: {name}")
            if name == "capacity":
                self._world.refused.clear()
            setattr(self._world.settings, name, Latencies.from_json(value) if name == "latencies" else value)
        return Response(200, {})

    def _greet(self, client: str, request: Request) -> Response:
        """A client counts on the emulator from now on; too late for one that comes while it leaves."""
        with self._lock:
            if self._leaving:
                return Response(410)
            self._clients[client] = int(request.json()["pid"])
        return Response(200, {"pid": os.getpid()})

    def _part(self, client: str) -> Response:
        """A client needs it no more; it leaves when nothing exists and no other client that lives counts on it."""
        with self._lock:
            self._clients.pop(client, None)
            self._clients = {other: pid for other, pid in self._clients.items() if is_running(pid)}
            self._leaving = self._leaving or (not self._clients and self._world.empty)
        if self._leaving:
            self._leave()
        return Response(200, {"stopping": self._leaving})
