"""The emulator put together: the cloud, its two ports, and when it may go."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import TYPE_CHECKING

from provisioning.rehearsal import files
from provisioning.rehearsal.arm.accounts import RehearsalAccount
from provisioning.rehearsal.arm.app import ArmApplication
from provisioning.rehearsal.arm.clock import tick
from provisioning.rehearsal.arm.control import ControlApplication
from provisioning.rehearsal.arm.faults import FaultList
from provisioning.rehearsal.arm.ids import type_of
from provisioning.rehearsal.arm.machine_room import MachineRoom
from provisioning.rehearsal.arm.metadata import MetadataApplication
from provisioning.rehearsal.arm.operation_urls import OperationUrls
from provisioning.rehearsal.arm.operations import Operations
from provisioning.rehearsal.arm.routes import actions, note_failure, revive
from provisioning.rehearsal.arm.server import EmulatorServer
from provisioning.rehearsal.arm.store import Store
from provisioning.rehearsal.arm.tls import server_context
from provisioning.rehearsal.arm.world import World

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from provisioning.rehearsal.arm.http import Application, Request, Response

_WATCH_SECONDS = 1.0


class Emulator:
    """A rehearsal cloud that listens on two loopback ports."""

    def __init__(self, state: Path, environment_cache: Path) -> None:
        self._leave = threading.Event()
        self._last_call = time.monotonic()
        self._address_file = state / files.ADDRESS
        context = server_context(state / files.CA)
        former = _former_address(state)
        # The former ports, so that a client which outlived a killed emulator finds the new one at the same address.
        self._arm_server = _listen(former.get("arm_port", 0), context)
        self._metadata_server = _listen(former.get("metadata_port", 0), None)
        self.world = _world(state, environment_cache, self._arm_server.port, self._metadata_server.port)
        arm = ArmApplication(self.world)
        _write_address(state, self._arm_server.port, self._metadata_server.port)
        self.world.operations.use(
            actions(self.world),
            lambda operation: note_failure(self.world, operation),
            lambda action, target: self.world.settings.latencies.of_operation(action, type_of(target)),
        )
        revive(self.world)
        self._arm_server.serve(self._noting_calls(ControlApplication(self.world, arm, self.leave)))
        self._metadata_server.serve(self._noting_calls(MetadataApplication(self.world)))

    def leave(self) -> None:
        """Make `run` return soon; callable from any thread and from a signal handler."""
        self._leave.set()

    def run(self, idle_seconds: float) -> None:
        """Serve until told to leave, until the state folder is gone, or until it is empty and nobody has called.

        Args:
            idle_seconds: How long nobody must have called.
        """
        while not self._leave.wait(_WATCH_SECONDS):
            if not self._address_file.exists():
                return
            tick(self.world)
            idle = time.monotonic() - self._last_call > idle_seconds
            if idle and self.world.empty:
                return

    def close(self) -> None:
        """Stop listening, end all machines, let go of the files."""
        self._arm_server.shutdown()
        self._metadata_server.shutdown()
        self.world.operations.close()
        self.world.machines.stop_all()

    def _noting_calls(self, application: Application) -> Application:
        def answer(request: Request) -> Response:
            self._last_call = time.monotonic()
            return application(request)

        return answer


def _world(state: Path, environment_cache: Path, arm_port: int, metadata_port: int) -> World:
    account = RehearsalAccount.load_or_make(state / files.ACCOUNT)
    store = Store(state / files.CLOUD)
    base_url = f"https://127.0.0.1:{arm_port}"
    return World(
        account=account,
        store=store,
        operations=Operations(store),
        urls=OperationUrls(base_url, account.subscription_id, account.tenant_id, account.key),
        faults=FaultList(),
        machines=MachineRoom(),
        state_folder=state,
        ca_file=state / files.CA,
        environment_cache=environment_cache,
        metadata_url=f"http://127.0.0.1:{metadata_port}",
    )


def _listen(port: int, context: ssl.SSLContext | None) -> EmulatorServer:
    try:
        return EmulatorServer(port, context)
    except OSError:
        if port == 0:
            raise
        return EmulatorServer(0, context)


def _former_address(state: Path) -> dict[str, int]:
    file = state / files.ADDRESS
    if not file.exists():
        return {}
    address: dict[str, int] = json.loads(file.read_text())
    return address


def _write_address(state: Path, arm_port: int, metadata_port: int) -> None:
    address = {"pid": os.getpid(), "arm_port": arm_port, "metadata_port": metadata_port}
    draft = state / f"{files.ADDRESS}.part"
    draft.write_text(json.dumps(address))
    draft.replace(state / files.ADDRESS)
