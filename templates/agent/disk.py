"""The workspace disk: found by its LUN, formatted only when empty, mounted by UUID. Data is never wiped."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from templates.agent import atomic
from templates.agent.errors import DiskError
from templates.agent.system import call, system_path

if TYPE_CHECKING:
    from pathlib import Path

# azure-vm-utils names SCSI and NVMe disks alike; WALinuxAgent's older rule knows SCSI only.
_NAMES = ("/dev/disk/azure/data/by-lun/{lun}", "/dev/disk/azure/scsi1/lun{lun}")
_NOTHING_FOUND = 2


def find_data_disk(lun: int) -> Path | None:
    """The disk at `lun` under either of its names, or None while the system does not show it."""
    names = (system_path(name.format(lun=lun)) for name in _NAMES)
    return next((name for name in names if name.exists()), None)


def wait_for_data_disk(lun: int, deadline_seconds: float) -> Path:
    """The disk at `lun`; udev may take a while after boot.

    Raises:
        DiskError: It is not there when `deadline_seconds` are over.
    """
    until = time.monotonic() + deadline_seconds
    while (disk := find_data_disk(lun)) is None:
        if time.monotonic() >= until:
            raise DiskError(f"no data disk after {deadline_seconds:g} s at LUN: {lun}")
        time.sleep(min(1.0, max(0.0, until - time.monotonic())))
    return disk


def mount_workspace(disk: Path, workspace: Path) -> None:
    """Mount `disk` at `workspace`, now and after every restart.

    Raises:
        DiskError: What is on the disk is no file system that could be mounted.
        SystemCommandError: A program failed.
    """
    workspace.mkdir(parents=True, exist_ok=True)
    if os.path.ismount(workspace):
        return
    device = _with_filesystem(disk)
    uuid = call("blkid", "-p", "-s", "UUID", "-o", "value", str(device)).stdout.strip()
    filesystem = facts_of(device)["TYPE"]
    write_fstab(system_path("/etc/fstab"), uuid, workspace, filesystem)
    call("mount", "-t", filesystem, str(device), str(workspace))


def write_fstab(fstab: Path, uuid: str, workspace: Path, filesystem: str) -> None:
    """Make `workspace` come back after a restart; `nofail`: a lost disk must not keep the machine down."""
    lines = fstab.read_text().splitlines() if fstab.exists() else []
    kept = [line for line in lines if line.startswith("#") or str(workspace) not in line.split()[1:2]]
    line = f"UUID={uuid} {workspace} {filesystem} defaults,nofail,x-systemd.device-timeout=60s 0 2"
    if [*kept, line] != lines:
        atomic.write_bytes(fstab, ("\n".join([*kept, line]) + "\n").encode())


def _with_filesystem(disk: Path) -> Path:
    """The device to mount: the disk itself, or its only partition when somebody else has partitioned it."""
    facts = facts_of(disk)
    if "TYPE" in facts:
        return disk
    if not facts:
        # No -F: mkfs too refuses when it sees something that blkid did not. -m 0: no 5 % put aside for root.
        call("mkfs.ext4", "-q", "-m", "0", "-L", "workspace", str(disk))
        return disk
    partition = disk.with_name(f"{disk.name}-part1")
    if partition.exists() and "TYPE" in facts_of(partition):
        return partition
    raise DiskError(f"the disk holds something that is no file system, and stays as it is: {disk}: {facts}")


def facts_of(device: Path) -> dict[str, str]:
    """What blkid reads on the device itself (not from its cache); empty only when certainly nothing is there."""
    done = call("blkid", "-p", "-o", "export", str(device), accept=(0, _NOTHING_FOUND))
    if done.returncode == _NOTHING_FOUND:
        _prove_readable(device)
        return {}
    facts = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if "TYPE" not in facts and "PTTYPE" not in facts:
        raise DiskError(f"blkid says neither what is on it nor that it is empty: {device}")
    return facts


def _prove_readable(device: Path) -> None:
    """The answer of blkid is the same for an empty device and for one that it cannot read."""
    with device.open("rb") as file:
        if not file.read(4096):
            raise DiskError(f"the disk has no size: {device}")
