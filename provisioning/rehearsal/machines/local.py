"""Boots, watches and stops local machines; chooses the way."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provisioning.errors import RehearsalError
from provisioning.rehearsal.machines import processes, sandbox, sweep
from provisioning.rehearsal.machines.disk import (
    MachineDisk,
    is_first_boot,
    locked,
    prepare_disk,
    record_first_boot,
    recorded_commands,
)
from provisioning.rehearsal.machines.environment import copy_pip_configuration, machine_environment, write_login_profile
from provisioning.rehearsal.machines.first_boot import apply_custom_data, runcmd_script
from provisioning.rehearsal.machines.in_process import launcher
from provisioning.rehearsal.machines.programs import write_programs
from provisioning.rehearsal.machines.sandbox_etc import write_etc
from provisioning.rehearsal.machines.spec import LocalMachineSpec, MachineKind, RunningMachine, WayOfBooting

if TYPE_CHECKING:
    from pathlib import Path

WAY_VARIABLE = "LLAMALIFT_MACHINES"
"""Forces a way of booting: `sandbox`, `in-process`, or `none` for machines that only the cloud knows of."""

_BOOT_SECONDS = 30.0
_PREVIOUS_SECONDS = 15.0
_CONSOLE_TAIL_LINES = 5
_NO_PROCESS = 0


def describe_ways() -> list[WayOfBooting]:
    """Every way, whether it works on this computer, and which one the next machine is booted with."""
    obstacle = sandbox.why_not()
    chosen = _chosen(sandbox_works=obstacle is None)
    reason, hint = obstacle or ("OpenSSH in bubblewrap: own /workspace and process space", "")
    return [
        WayOfBooting(MachineKind.SANDBOX, obstacle is None, chosen is MachineKind.SANDBOX, reason, hint),
        WayOfBooting(
            MachineKind.IN_PROCESS,
            available=True,
            chosen=chosen is MachineKind.IN_PROCESS,
            reason="an SSH server in one process: needs nothing else, but sees the whole computer",
        ),
    ]


def boot(spec: LocalMachineSpec) -> RunningMachine:
    """Boot a machine (again); returns when its SSH server listens, like Azure, which does not wait for runcmd either.

    Raises:
        RehearsalError: It does not come up; the hint ends with its console log.
    """
    if os.environ.get(WAY_VARIABLE) == MachineKind.NONE:
        log = spec.folder / "console.log"
        return RunningMachine(_NO_PROCESS, spec.address, spec.port, MachineKind.NONE, log, spec.folder)
    way = next(way for way in describe_ways() if way.chosen)
    if not way.available:
        raise RehearsalError(f"{WAY_VARIABLE} asks for a machine that cannot be booted: {way.reason}", hint=way.hint)
    disk = MachineDisk(spec.folder.absolute(), spec.username)
    with locked(disk, deadline_seconds=_PREVIOUS_SECONDS) as lock:
        machine = _boot(spec, way.kind, disk, lock)
    processes.hold(machine)
    return RunningMachine(machine.pid, spec.address, spec.port, way.kind, disk.console_log, disk.programs)


def end_leftovers(folder: Path) -> None:
    """End whatever a machine in `folder` left when it was killed together with the process that booted it.

    A sandbox leaves nothing. Do not call it for a machine that runs.
    """
    sweep.end_all(sweep.marker_of(folder))


def is_alive(machine: RunningMachine) -> bool:
    """True while it runs. A machine belongs to the process that booted it, and is dead to any other."""
    if machine.kind is MachineKind.NONE:
        return True
    held = processes.held(machine.pid)
    return held is not None and held.process.poll() is None


def stop(machine: RunningMachine) -> None:
    """Switch it off hard; when this returns, none of its processes is left. Stopping a dead machine does nothing."""
    held = processes.held(machine.pid)
    if held is not None:
        processes.switch_off(held)
        processes.forget(machine.pid)


def _chosen(*, sandbox_works: bool) -> MachineKind:
    wish = os.environ.get(WAY_VARIABLE)
    if wish in set(MachineKind):
        return MachineKind(wish)
    if wish:
        raise RehearsalError(f"{WAY_VARIABLE} must be one of {', '.join(MachineKind)}, not: {wish}")
    return MachineKind.SANDBOX if sandbox_works else MachineKind.IN_PROCESS


def _boot(spec: LocalMachineSpec, kind: MachineKind, disk: MachineDisk, lock: int) -> processes.HeldMachine:
    prepare_disk(disk)
    console = _Console(disk)
    console.say(f"machine: {spec.name} boots, way: {kind}, at {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    if is_first_boot(disk):
        record_first_boot(disk, apply_custom_data(spec, disk, console.say))
        copy_pip_configuration(disk)
    spec.environment_cache.mkdir(parents=True, exist_ok=True)
    if spec.scratch_folder is not None:
        spec.scratch_folder.mkdir(parents=True, exist_ok=True)
    try:
        machine = _start(spec, kind, disk, lock)
        _wait_until_listening(machine, disk)
    except RehearsalError as error:
        raise RehearsalError(f"{error.fact}; machine: {spec.name}", hint=console.tail()) from error
    return machine


def _wait_until_listening(machine: processes.HeldMachine, disk: MachineDisk) -> None:
    try:
        processes.wait_until_listening(machine.process, disk.sshd_pid_file, deadline_seconds=_BOOT_SECONDS)
    except BaseException:
        processes.switch_off(machine)
        raise


def _start(spec: LocalMachineSpec, kind: MachineKind, disk: MachineDisk, lock: int) -> processes.HeldMachine:
    environment = machine_environment(spec, kind, disk)
    write_login_profile(disk, environment)
    commands = recorded_commands(disk)
    if kind is MachineKind.SANDBOX:
        write_programs(disk.programs, sandbox.POWER_OFF)
        disk.boot_script.write_text(runcmd_script(commands))
        write_etc(spec, disk, environment, sandbox.USER_ID)
        return sandbox.start(spec, disk, environment, lock)
    write_programs(disk.programs, launcher.power_off_command(disk))
    disk.boot_script.write_text(runcmd_script(commands, disk))
    return launcher.start(spec, disk, environment, lock)


class _Console:
    """The host's pen on the console log."""

    def __init__(self, disk: MachineDisk) -> None:
        self._path = disk.console_log

    def say(self, line: str) -> None:
        with self._path.open("a") as log:
            log.write(f"{line}\n")

    def tail(self) -> str:
        lines = self._path.read_text(errors="replace").splitlines()[-_CONSOLE_TAIL_LINES:]
        return "\n".join([f"console log {self._path} ends with:", *lines])
