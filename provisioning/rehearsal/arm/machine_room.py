"""The local machines that stand for virtual machines: booted, found, stopped."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from provisioning.errors import RehearsalError
from provisioning.rehearsal import machines

if TYPE_CHECKING:
    from provisioning.rehearsal.machines import LocalMachineSpec, RunningMachine, ScriptResult


class MachineRoom:
    """The machines that run now, by their `vmId`. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, RunningMachine] = {}

    def boot(self, vm_id: str, spec: LocalMachineSpec) -> bool:
        """Boot a machine unless it runs; returns when it answers, with whether it had to be booted.

        Raises:
            RehearsalError: It did not come up.
        """
        if self.is_alive(vm_id):
            return False
        try:
            machine = machines.boot(spec)
        except OSError as error:
            raise RehearsalError(f"the local machine could not be booted: {error}") from error
        with self._lock:
            self._running[vm_id] = machine
        return True

    def stop(self, vm_id: str) -> None:
        """End a machine with all its processes; nothing happens when it does not run."""
        with self._lock:
            machine = self._running.pop(vm_id, None)
        if machine is not None:
            machines.stop(machine)

    def is_alive(self, vm_id: str) -> bool:
        """Whether the machine runs."""
        with self._lock:
            machine = self._running.get(vm_id)
        return machine is not None and machines.is_alive(machine)

    def run_script(self, vm_id: str, script: str) -> ScriptResult:
        """Run a shell script on a machine, and give what it printed.

        Raises:
            RehearsalError: It does not run, or ended first.
        """
        with self._lock:
            machine = self._running.get(vm_id)
        if machine is None:
            raise RehearsalError(f"no such machine runs: {vm_id}")
        return machines.run_script(machine, script)

    def console_log(self, vm_id: str) -> bytes:
        """What the machine has written to its console."""
        with self._lock:
            machine = self._running.get(vm_id)
        return machine.console_log.read_bytes() if machine is not None and machine.console_log.exists() else b""

    def ports_at(self, address: str) -> list[int]:
        """The SSH ports of the machines at `address`; more than one only where the system has but 127.0.0.1."""
        with self._lock:
            return [machine.port for machine in self._running.values() if machine.address == address]

    def stop_all(self) -> None:
        """End all machines."""
        with self._lock:
            vm_ids = list(self._running)
        for vm_id in vm_ids:
            self.stop(vm_id)
