"""Starts the machine's process."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import provisioning
from provisioning.rehearsal.machines import sweep
from provisioning.rehearsal.machines.in_process.settings import ServerSettings
from provisioning.rehearsal.machines.processes import HeldMachine, start_process

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.rehearsal.machines.disk import MachineDisk
    from provisioning.rehearsal.machines.spec import LocalMachineSpec


def power_off_command(disk: MachineDisk) -> str:
    """Shell command that switches the machine off from within."""
    return f'exec kill -TERM "$(cat {shlex.quote(str(disk.sshd_pid_file))})"'


def start(spec: LocalMachineSpec, disk: MachineDisk, environment: Mapping[str, str], lock: int) -> HeldMachine:
    """Start the machine's process; its SSH server comes up shortly after, and holds `lock` open."""
    _link_environment_cache(spec)
    marker = sweep.marker_of(disk.folder)
    name, _, value = marker.partition("=")
    settings = ServerSettings(
        address=spec.address,
        port=spec.port,
        username=spec.username,
        home=str(disk.home),
        ssh_folder=str(disk.ssh_folder),
        pid_file=str(disk.sshd_pid_file),
        boot_script=str(disk.boot_script),
        environment={**environment, name: value},
        marker=marker,
    )
    settings.clean_up()
    settings_file = disk.programs / "server.json"
    settings.write(settings_file)
    # The process must find this very package, installed or not.
    package_parent = str(Path(provisioning.__file__).parents[1])
    python_path = os.pathsep.join(filter(None, [package_parent, os.environ.get("PYTHONPATH")]))
    argv = [sys.executable, "-m", __package__, str(settings_file)]
    process = start_process(argv, {**os.environ, "PYTHONPATH": python_path}, disk.console_log, pass_fds=[lock])
    return HeldMachine(process, process.pid, settings.clean_up)


def _link_environment_cache(spec: LocalMachineSpec) -> None:
    link = spec.workspace_folder.absolute() / "llamalift" / "env"
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_dir() and not link.is_symlink():
        link.rmdir()  # the empty mount point of a sandbox
    link.unlink(missing_ok=True)
    link.symlink_to(spec.environment_cache.absolute())
