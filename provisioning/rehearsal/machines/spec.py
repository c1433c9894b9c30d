"""The words of this package."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class MachineKind(StrEnum):
    """The ways of booting, best first; `none` boots nothing, for those who study the cloud side alone."""

    SANDBOX = "sandbox"
    IN_PROCESS = "in-process"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class LocalMachineSpec:
    """What to boot.

    Booting again with the same folder is a restart: the machine keeps its disk and its host key, and cloud-init's
    once-per-instance parts are not applied again.

    Attributes:
        name: Host name.
        folder: The machine's own folder (its OS disk, console log); made when absent.
        address: Loopback address to listen on: its own 127.x.y.z on Linux, 127.0.0.1 on macOS.
        port: TCP port to listen on.
        workspace_folder: The data disk, seen as `/workspace` (as `LLAMALIFT_WORKSPACE` without a sandbox).
        environment_cache: Folder shared by all machines, seen as `<workspace>/llamalift/env`.
        username: The administrator of the request's `osProfile`.
        ssh_public_key: Its public key, one OpenSSH line.
        custom_data: cloud-init's user data, decoded; may be empty or gzipped.
        imds_url: Base URL of the emulator's instance metadata service, or None.
        arm_url: Base URL of the emulator's Resource Manager, for a machine that deallocates itself, or None.
        arm_ca_file: The certificate authority to trust there (copied onto the machine), or None.
        scratch_folder: What stands for its local disks, seen as `/scratch` (`LLAMALIFT_SCRATCH` says where); None for a
            size without any. Made when absent; emptying it is up to whoever takes the machine's hardware away.
    """

    name: str
    folder: Path
    address: str
    port: int
    workspace_folder: Path
    environment_cache: Path
    username: str
    ssh_public_key: str
    custom_data: bytes = field(repr=False)
    imds_url: str | None = None
    arm_url: str | None = None
    arm_ca_file: Path | None = None
    scratch_folder: Path | None = None


@dataclass(frozen=True, slots=True)
class RunningMachine:
    """A machine that listens. It belongs to the process that booted it and ends with it.

    Attributes:
        pid: The process outside the machine that stands for it.
        address: Where its SSH server listens.
        port: Its TCP port.
        kind: How it was booted.
        console_log: What a serial console would have shown.
        programs: Its `/run/machine`, as this computer sees it.
    """

    pid: int
    address: str
    port: int
    kind: MachineKind
    console_log: Path
    programs: Path


@dataclass(frozen=True, slots=True)
class WayOfBooting:
    """One way of booting on this computer, for `llamalift doctor`.

    Attributes:
        kind: Which.
        available: It works here.
        chosen: The next machine is booted this way.
        reason: Why not, or what it gives.
        hint: What would make it available; empty when nothing has to be done.
    """

    kind: MachineKind
    available: bool
    chosen: bool
    reason: str
    hint: str = ""
