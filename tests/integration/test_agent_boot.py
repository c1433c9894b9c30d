from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from templates.zipapps import agent_zipapp
from tests.fakes.agent_run import run_settings, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root may make and mount a block device")
_MIB = 1 << 20


class Machine:
    """A machine's files under a folder of its own, and the real agent.pyz that is to boot it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "machine"
        self.workspace = folder / "workspace"
        self.programs = folder / "programs"
        for path in (self.root / "etc", self.programs):
            path.mkdir(parents=True)
        self.config = folder / "run.json"
        self.configure()
        (folder / "agent.pyz").write_bytes(agent_zipapp())
        self.environment = {"LLAMALIFT_ROOT": str(self.root)}
        # A daemon that believes to own its machine must not find the real ones.
        for name in ("shutdown", "sudo"):
            self.program(name, f"touch {folder}/off")

    @property
    def run_dir(self) -> Path:
        """The run folder on the workspace."""
        return self.workspace / "llamalift" / "demo-abc234"

    def configure(self, **changes: object) -> None:
        """Write run.json for the user who runs the tests."""
        user = pwd.getpwuid(os.geteuid()).pw_name
        self.config.write_text(json.dumps({**run_settings(self.workspace), "username": user, **changes}))

    def program(self, name: str, text: str) -> None:
        """Put a program of that name first on PATH."""
        (self.programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.programs / name).chmod(0o755)

    def verb(self, *words: str) -> tuple[int, dict[str, Any], str]:
        """Run a verb: exit code, answer and what it said meanwhile."""
        done = subprocess.run(
            [sys.executable, str(self.folder / "agent.pyz"), *words],
            env={**os.environ, **self.environment, "PATH": f"{self.programs}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, json.loads(done.stdout), done.stderr

    def boot(self) -> tuple[int, dict[str, Any], str]:
        """Run `boot`."""
        return self.verb("boot", "--config", str(self.config))

    def daemons(self) -> list[int]:
        """Every process that serves this run; after two boots a second one may still be finding out about the first."""
        listed = subprocess.run(
            ["ps", "-axww", "-o", "pid=,state=,command="], capture_output=True, text=True, check=True
        )
        lines = [line.split() for line in listed.stdout.splitlines() if f"serve --run-dir {self.run_dir}" in line]
        return [int(words[0]) for words in lines if not words[1].startswith("Z")]

    def wait_for_daemon(self) -> int:
        """The process id of the daemon that has spoken."""
        path = self.run_dir / "status.json"
        return wait_for(lambda: int(json.loads(path.read_text())["agent"]["pid"]) if path.exists() else 0, "the daemon")

    def end_daemons(self) -> None:
        """End whatever `boot` has started."""
        while pids := self.daemons():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine before its first boot."""
    made = Machine(tmp_path)
    yield made
    made.end_daemons()


@contextmanager
def _data_disk(machine: Machine, name: str = "data/by-lun/0") -> Iterator[Path]:
    """A real block device under the name that Azure gives to the disk at LUN 0."""
    image = machine.folder / "disk.img"
    if not image.exists():
        with image.open("wb") as file:
            file.truncate(64 * _MIB)
    found = subprocess.run(["losetup", "--find", "--show", str(image)], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip(f"this kernel gives no loop device: {found.stderr.strip()}")
    device = found.stdout.strip()
    link = machine.root / "dev/disk/azure" / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(device)
    try:
        yield image
    finally:
        link.unlink()
        machine.end_daemons()
        wait_for(lambda: not os.path.ismount(machine.workspace) or _unmounted(machine.workspace), "the unmounting")
        subprocess.run(["losetup", "--detach", device], check=True)


def _unmounted(folder: Path) -> bool:
    return subprocess.run(["umount", str(folder)], check=False, capture_output=True).returncode == 0


def test_a_local_machine_gets_its_run_folder_and_its_daemon(machine: Machine) -> None:
    """Where the workspace is already there, nothing of the system is touched; a second boot changes nothing."""
    machine.workspace.mkdir()
    machine.environment["LLAMALIFT_WORKSPACE"] = str(machine.workspace)
    for name in ("systemctl", "mount", "mkfs.ext4", "blkid"):
        machine.program(name, f"touch {machine.folder}/touched")
    code, answer, _ = machine.boot()
    assert (code, answer["owns_machine"], answer["serve"]) == (0, False, "detached")
    assert answer["run_dir"] == str(machine.run_dir)
    first = machine.wait_for_daemon()
    assert machine.boot()[0] == 0
    wait_for(lambda: machine.daemons() == [first], "the second daemon to leave")
    assert (machine.run_dir / "agent.pyz").stat().st_mode & 0o111
    assert not (machine.folder / "touched").exists()


def test_the_workspace_variable_is_obeyed(machine: Machine) -> None:
    """LLAMALIFT_WORKSPACE overrides what run.json says."""
    machine.configure(workspace="/workspace")
    machine.workspace.mkdir()
    machine.environment["LLAMALIFT_WORKSPACE"] = str(machine.workspace)
    assert machine.boot()[1]["run_dir"] == str(machine.run_dir)


@_ROOT_ONLY
@pytest.mark.parametrize("name", ["data/by-lun/0", "scsi1/lun0"])
def test_an_empty_disk_is_formatted_once_and_keeps_its_data(machine: Machine, name: str) -> None:
    """First boot: ext4, mounted, in fstab by UUID. A new machine with the old disk finds everything on it."""
    with _data_disk(machine, name):
        code, answer, said = machine.boot()
        assert (code, answer["owns_machine"]) == (0, True), said
        assert os.path.ismount(machine.workspace)
        fstab = (machine.root / "etc/fstab").read_text()
        assert fstab.startswith("UUID=")
        assert f" {machine.workspace} ext4 defaults,nofail," in fstab
        (machine.workspace / "precious").write_text("weights")
        assert machine.boot()[0] == 0
        assert (machine.root / "etc/fstab").read_text() == fstab
    machine.workspace.rmdir()
    with _data_disk(machine, name):
        assert machine.boot()[0] == 0
        assert (machine.workspace / "precious").read_text() == "weights"


@_ROOT_ONLY
def test_a_disk_with_a_partition_table_is_left_alone(machine: Machine) -> None:
    """Neither a file system nor empty: boot fails with the disk's name and does not write to it."""
    with _data_disk(machine) as image:
        table = bytearray(512)
        table[446:462] = bytes.fromhex("00202100830c0e08000800000008 0100".replace(" ", ""))
        table[510:] = b"\x55\xaa"
        with image.open("r+b") as file:
            file.write(table)
        before = image.read_bytes()
        code, answer, _ = machine.boot()
        assert (code, answer["error"]["type"]) == (1, "DiskError")
        assert image.read_bytes() == before
        assert not os.path.ismount(machine.workspace)


@_ROOT_ONLY
@pytest.mark.parametrize("trouble", ["exit 8", "exit 4", "echo DEVNAME=/dev/sdc"])
def test_a_disk_that_blkid_cannot_judge_is_not_formatted(machine: Machine, trouble: str) -> None:
    """Ambivalent, failing or silent: only certainty that nothing is there lets mkfs run."""
    with _data_disk(machine):
        machine.program("blkid", trouble)
        machine.program("mkfs.ext4", f"touch {machine.folder}/formatted")
        assert machine.boot()[0] == 1
        assert not (machine.folder / "formatted").exists()


@_ROOT_ONLY
def test_with_systemd_the_switch_is_armed_before_the_disk_is_looked_for(machine: Machine) -> None:
    """Even a machine whose disk is unusable ends at its deadline; the units say when and as whom."""
    (machine.root / "run/systemd/system").mkdir(parents=True)
    machine.program("systemctl", f'echo "$@" >> {machine.folder}/systemctl')
    machine.program("blkid", "exit 8")
    machine.configure(deadline_at=1_800_000_000)
    with _data_disk(machine):
        assert machine.boot()[0] == 1
        timer = (machine.root / "etc/systemd/system/llamalift-deadline.timer").read_text()
        assert "OnCalendar=2027-01-15 08:02:00 UTC\n" in timer
        # A machine that was started again after the deadline has a switch as well.
        assert "OnBootSec=" in timer
        assert "Persistent=true\n" in timer
        (machine.programs / "blkid").unlink()
        code, answer, said = machine.boot()
        assert (code, answer["serve"]) == (0, "systemd"), said
    agent = (machine.root / "etc/systemd/system/llamalift-agent.service").read_text()
    for line in (
        "User=root",
        "Restart=always",
        "KillMode=process",
        # A step that the kernel kills for memory takes the agent with it otherwise.
        "OOMPolicy=continue",
        f"RequiresMountsFor={machine.workspace}",
    ):
        assert f"{line}\n" in agent
    asked = (machine.folder / "systemctl").read_text().splitlines()
    assert asked[:2] == ["daemon-reload", "enable --now llamalift-deadline.timer"]
    assert asked[-1] == "enable --now llamalift-agent.service"


@_ROOT_ONLY
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd's checker is not installed")
def test_the_units_are_what_systemd_accepts(machine: Machine) -> None:
    """Systemd's own checker finds nothing to say, and reads the date of the timer."""
    (machine.root / "run/systemd/system").mkdir(parents=True)
    machine.program("systemctl", "exit 0")
    with _data_disk(machine):
        assert machine.boot()[0] == 0
    folder = machine.root / "etc/systemd/system"
    units = [str(folder / f"llamalift-{name}") for name in ("deadline.service", "deadline.timer", "agent.service")]
    checked = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    ours = [line for line in checked.stderr.splitlines() if "llamalift" in line]
    assert (checked.returncode, ours) == (0, [])


def test_the_switch_does_nothing_before_the_deadline_nor_before_one_that_was_raised(machine: Machine) -> None:
    """`end-compute` looks at run.json and at what the client has added to it."""
    machine.workspace.mkdir()
    machine.environment["LLAMALIFT_WORKSPACE"] = str(machine.workspace)
    ending = ("end-compute", "--config", str(machine.config))
    assert machine.verb(*ending)[1] == {"due": False}
    machine.configure(deadline_at=time.time() - 5)
    code, answer, _ = machine.verb(*ending)
    assert (code, answer["due"]) == (0, True)
    assert not (machine.folder / "off").exists()
    (machine.run_dir / "control").mkdir(parents=True)
    (machine.run_dir / "control/extend").write_text(json.dumps({"deadline_at": time.time() + 600}))
    assert machine.verb(*ending)[1] == {"due": False}


def test_the_switch_leaves_a_living_agent_the_time_to_save_but_not_for_ever(machine: Machine) -> None:
    """A checkpoint of a 7B model takes minutes; an agent that has not ended compute an hour later never will."""
    machine.workspace.mkdir()
    machine.environment["LLAMALIFT_WORKSPACE"] = str(machine.workspace)
    ending = ("end-compute", "--config", str(machine.config))
    machine.configure(deadline_at=time.time() - 300)
    machine.run_dir.mkdir(parents=True)
    status = machine.run_dir / "status.json"
    status.write_text("{}")
    assert machine.verb(*ending)[1] == {"due": False}
    os.utime(status, (time.time() - 600, time.time() - 600))
    assert machine.verb(*ending)[1]["due"] is True
    status.touch()
    machine.configure(deadline_at=time.time() - 3700)
    assert machine.verb(*ending)[1]["due"] is True
