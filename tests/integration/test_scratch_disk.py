"""Scratch on real block devices: striped, mounted, found again, made anew; what is not ours is left alone."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MIB = 1 << 20
# btrfs takes no less.
_DISK_BYTES = 128 * _MIB
_MODEL = "Microsoft NVMe Direct Disk v2\n"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make and mount a block device"),
    pytest.mark.skipif(shutil.which("mkfs.btrfs", path="/usr/sbin:/sbin") is None, reason="needs btrfs-progs"),
]


class Machine:
    """A machine's /sys and /dev under a folder, with loop devices for its disks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "machine"
        self.mount = folder / "scratch"
        self.devices: dict[str, str] = {}

    def add_disk(self, name: str, model: str = _MODEL) -> str:
        """Add an empty disk; gives its device."""
        image = self.folder / f"{name}.img"
        with image.open("wb") as file:
            file.truncate(_DISK_BYTES)
        found = subprocess.run(["losetup", "--find", "--show", str(image)], capture_output=True, text=True, check=False)
        if found.returncode:
            pytest.skip(f"this kernel gives no loop device: {found.stderr.strip()}")
        self.devices[name] = found.stdout.strip()
        described = self.root / "sys" / "block" / name / "device"
        described.mkdir(parents=True)
        (described / "model").write_text(model)
        (self.root / "dev").mkdir(exist_ok=True)
        (self.root / "dev" / name).symlink_to(self.devices[name])
        return self.devices[name]

    def remove_disk(self, name: str) -> None:
        """Take a disk away, as an eviction does."""
        (self.root / "dev" / name).unlink()
        shutil.rmtree(self.root / "sys" / "block" / name)
        subprocess.run(["losetup", "--detach", self.devices.pop(name)], check=True)

    def start(self, **environment: str) -> dict[str, Any]:
        """Make scratch, as at each start of the trainer."""
        owner = pwd.getpwuid(os.geteuid()).pw_name
        words = ["--mount", str(self.mount), "--owner", owner]
        done = subprocess.run(
            [sys.executable, "-m", "templates.training.scratch_disk", *words],
            env={**os.environ, "LLAMALIFT_ROOT": str(self.root), **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(json.loads(done.stdout))

    def unmount(self) -> None:
        """What a restart does."""
        if os.path.ismount(self.mount):
            subprocess.run(["umount", str(self.mount)], check=True)

    def clean_up(self) -> None:
        """Leave nothing on this computer."""
        self.unmount()
        for name in list(self.devices):
            self.remove_disk(name)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine without disks yet."""
    made = Machine(tmp_path)
    yield made
    made.clean_up()


def test_all_local_disks_make_one_stripe(machine: Machine) -> None:
    """Its room is the sum of theirs, data lies on both, and it belongs to the user."""
    machine.add_disk("nvme0n1")
    machine.add_disk("nvme1n1")
    assert machine.start() == {"mounted": str(machine.mount), "notes": []}
    assert shutil.disk_usage(machine.mount).total == 2 * _DISK_BYTES
    shown = subprocess.run(
        ["btrfs", "filesystem", "df", str(machine.mount)], capture_output=True, text=True, check=True
    )
    assert "Data, RAID0" in shown.stdout


def test_a_restart_keeps_what_is_on_it(machine: Machine) -> None:
    """It is mounted again as it was; doing so twice changes nothing."""
    machine.add_disk("nvme0n1")
    machine.add_disk("nvme1n1")
    machine.start()
    (machine.mount / "file").write_text("kept")
    machine.start()
    machine.unmount()
    machine.start()
    assert (machine.mount / "file").read_text() == "kept"


def test_after_an_eviction_it_is_made_anew(machine: Machine) -> None:
    """New, empty disks; and one new beside an old one, of which half a stripe is left."""
    machine.add_disk("nvme0n1")
    machine.add_disk("nvme1n1")
    machine.start()
    (machine.mount / "file").write_text("gone")
    machine.unmount()
    machine.remove_disk("nvme1n1")
    machine.add_disk("nvme1n1")
    assert machine.start()["mounted"] == str(machine.mount)
    assert list(machine.mount.iterdir()) == []
    assert shutil.disk_usage(machine.mount).total == 2 * _DISK_BYTES


def test_what_is_not_ours_is_left_alone(machine: Machine) -> None:
    """A disk with somebody's data is told and never written; disks that are not local are not even looked at."""
    theirs = machine.add_disk("nvme0n1")
    remote = machine.add_disk("nvme1n1", model="MSFT NVMe Accelerator v1.0\n")
    subprocess.run(["mkfs.ext4", "-q", "-L", "theirs", theirs], check=True)
    before = (machine.folder / "nvme0n1.img").read_bytes()
    answer = machine.start()
    assert answer["mounted"] is None
    assert answer["notes"] == [f"{machine.root}/dev/nvme0n1 is left alone: it holds ext4"]
    assert (machine.folder / "nvme0n1.img").read_bytes() == before
    machine.add_disk("nvme2n1")
    assert machine.start()["mounted"] == str(machine.mount)
    assert (machine.folder / "nvme0n1.img").read_bytes() == before
    assert subprocess.run(["blkid", "-p", remote], check=False, capture_output=True).returncode == 2


def test_without_btrfs_one_disk_is_used(machine: Machine) -> None:
    """As ext4, with a note; it is found again."""
    programs = machine.folder / "programs"
    programs.mkdir()
    for name in ("blkid", "mkfs.ext4", "mount", "wipefs"):
        (programs / name).symlink_to(shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin") or name)
    machine.add_disk("nvme0n1")
    machine.add_disk("nvme1n1")
    answer = machine.start(PATH=str(programs))
    assert answer["notes"] == ["btrfs-progs is not installed: scratch is one disk of 2"]
    (machine.mount / "file").write_text("kept")
    machine.unmount()
    assert machine.start(PATH=str(programs)) == {"mounted": str(machine.mount), "notes": []}
    assert (machine.mount / "file").read_text() == "kept"


def test_a_machine_without_local_disks_has_no_scratch(machine: Machine) -> None:
    """Nothing is made, nothing is said."""
    assert machine.start() == {"mounted": None, "notes": []}
    assert not machine.mount.exists()
