"""The emulator as a process: one per folder, outlives its client, comes back after a kill, leaves when empty."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from provisioning.errors import RehearsalError
from provisioning.rehearsal import files, service
from tests.fakes.arm_caller import ArmCaller, Bodies, rehearsal_cloud

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provisioning.rehearsal.service import EmulatorHandle

_NET, _NIC, _PIP = (
    f"Microsoft.Network/{kind}" for kind in ("virtualNetworks", "networkInterfaces", "publicIPAddresses")
)
_DISK, _VM = "Microsoft.Compute/disks", "Microsoft.Compute/virtualMachines"
_DEADLINE_SECONDS = 60.0


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _machine(caller: ArmCaller, size: str = "Standard_D2s_v5") -> tuple[Bodies, str, int]:
    bodies = Bodies(caller, "process")
    caller.done("PUT", bodies.group_path, {"location": "eastus"})
    caller.done("PUT", bodies.path(_NET, "net"), bodies.network())
    caller.done("PUT", bodies.path(_PIP, "ip"), bodies.address())
    caller.done("PUT", bodies.path(_DISK, "data"), bodies.disk())
    caller.done("PUT", bodies.path(_NIC, "nic"), bodies.interface(address="ip"))
    caller.done("PUT", bodies.path(_VM, "vm"), bodies.machine(data_disk="data", size=size))
    address = str(caller.call("GET", bodies.path(_PIP, "ip")).body["properties"]["ipAddress"])
    return bodies, address, service.machine_port(caller.handle, address)


def _disk_folders(caller: ArmCaller) -> list[Path]:
    return sorted((caller.handle.state_folder / "disks").iterdir())


def test_starting_twice_finds_the_first(tmp_path: Path) -> None:
    """Threads that start it at the same moment get the same process; a second server for the folder leaves at once."""
    handles: list[EmulatorHandle] = []
    starters = [threading.Thread(target=lambda: handles.append(service.ensure_running(tmp_path))) for _ in range(4)]
    with rehearsal_cloud(tmp_path):
        for starter in starters:
            starter.start()
        for starter in starters:
            starter.join()
        assert len({handle.pid for handle in handles}) == 1
        command = [sys.executable, "-m", "provisioning.rehearsal.serve", "--state", str(tmp_path / "rehearsal")]
        assert subprocess.run(command, check=False, timeout=_DEADLINE_SECONDS).returncode == 3


def test_secrets_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    """Account, server key and folder are private."""
    with rehearsal_cloud(tmp_path) as caller:
        folder = caller.handle.state_folder
        assert folder.stat().st_mode & 0o077 == 0
        for name in (files.ACCOUNT, "server.pem"):
            assert (folder / name).stat().st_mode & 0o077 == 0
        assert caller.handle.client_secret not in repr(caller.handle)


def test_the_private_door_needs_the_secret(tmp_path: Path) -> None:
    """A bearer token does not open the control endpoint."""
    with rehearsal_cloud(tmp_path) as caller:
        assert caller.raw("GET", "/llamalift/health", None, {}).status == 401


def test_a_killed_emulator_comes_back_with_everything(tmp_path: Path) -> None:
    """After kill -9 its machine dies too; the next start finds everything at the same port and boots the machine."""
    with rehearsal_cloud(tmp_path) as caller:
        bodies, address, port = _machine(caller)
        (marker := _disk_folders(caller)[0] / "marker").write_text("kept")
        before = caller.call("GET", bodies.path(_VM, "vm")).body
        os.kill(caller.handle.pid, signal.SIGKILL)
        _wait_until(lambda: not _answers(address, port), "the machine outlived its emulator")
        again = ArmCaller(service.ensure_running(tmp_path))
        assert again.handle.pid != caller.handle.pid
        assert again.handle.base_url == caller.handle.base_url
        _wait_until(lambda: _answers(address, port), "the machine was not booted again")
        after = again.call("GET", bodies.path(_VM, "vm")).body
        assert after["properties"]["vmId"] == before["properties"]["vmId"]
        assert marker.read_text() == "kept"
        again.done("DELETE", bodies.group_path)
        assert service.stop_if_empty(again.handle)


def test_an_operation_survives_a_kill(tmp_path: Path) -> None:
    """A creation under way when the emulator is killed is finished by the next one, at the same operation URL."""
    with rehearsal_cloud(tmp_path) as caller:
        bodies = Bodies(caller, "process")
        caller.done("PUT", bodies.group_path, {"location": "eastus"})
        slow = {"method": "PUT", "path": "/disks/", "operation_delay_seconds": 1.0}
        service.script_faults(caller.handle, slow)
        accepted = caller.call("PUT", bodies.path(_DISK, "data"), bodies.disk())
        os.kill(caller.handle.pid, signal.SIGKILL)
        again = ArmCaller(service.ensure_running(tmp_path))
        assert again.follow(accepted.headers["azure-asyncoperation"]).body["status"] == "InProgress"
        assert again.wait(accepted).body["status"] == "Succeeded"


def test_sigterm_ends_all_machines(tmp_path: Path) -> None:
    """An orderly end leaves no process and no listening port; what exists stays in the folder."""
    with rehearsal_cloud(tmp_path) as caller:
        bodies, address, port = _machine(caller)
        assert service.end(caller.handle)
        assert not _answers(address, port)
        again = ArmCaller(service.ensure_running(tmp_path))
        assert again.call("GET", bodies.path(_VM, "vm")).status == 200


def test_a_machine_that_ends_itself_is_stopped_not_gone(tmp_path: Path) -> None:
    """A machine switched off from inside shows PowerState/stopped, which Azure bills; start boots it again."""
    with rehearsal_cloud(tmp_path) as caller:
        bodies, address, port = _machine(caller)
        path = bodies.path(_VM, "vm")
        caller.done("POST", f"{path}/powerOff")
        assert not _answers(address, port)
        assert caller.call("GET", f"{path}/instanceView").body["statuses"][1]["code"] == "PowerState/stopped"
        caller.done("POST", f"{path}/start")
        assert _answers(address, port)


def test_disks_live_as_long_as_their_resources(tmp_path: Path) -> None:
    """Folders of disks appear with the resources and go with them."""
    with rehearsal_cloud(tmp_path) as caller:
        bodies, _, _ = _machine(caller)
        assert len(_disk_folders(caller)) == 2
        caller.done("DELETE", bodies.path(_VM, "vm"))
        assert len(_disk_folders(caller)) == 2
        caller.done("DELETE", bodies.group_path)
        assert _disk_folders(caller) == []


def test_local_disks_go_with_the_hardware(tmp_path: Path) -> None:
    """A machine that is off keeps what is on its NVMe disks; deallocated, and so evicted, it comes back without."""
    with rehearsal_cloud(tmp_path) as caller:
        bodies, _, _ = _machine(caller, "Standard_L8s_v3")
        path = bodies.path(_VM, "vm")
        (scratch,) = (caller.handle.state_folder / "disks").glob("*/local-nvme")
        (scratch / "file").touch()
        caller.done("POST", f"{path}/powerOff")
        caller.done("POST", f"{path}/start")
        assert (scratch / "file").exists()
        caller.done("POST", f"{path}/deallocate")
        caller.done("POST", f"{path}/start")
        assert list(scratch.iterdir()) == []


def test_it_stays_while_something_exists(tmp_path: Path) -> None:
    """`stop_if_empty` ends it only when the cloud is empty."""
    with rehearsal_cloud(tmp_path) as caller:
        caller.done("PUT", "/resourceGroups/one", {"location": "eastus"})
        assert not service.stop_if_empty(caller.handle)
        assert service.running(tmp_path) is not None
        caller.done("DELETE", "/resourceGroups/one")
        assert service.stop_if_empty(caller.handle)
        assert service.running(tmp_path) is None
        assert service.stop_if_empty(caller.handle)


def test_it_stays_for_another_client(tmp_path: Path) -> None:
    """An empty emulator on which another living client counts is not pulled away under it."""
    with rehearsal_cloud(tmp_path) as caller:
        other = service.ensure_running(tmp_path)
        assert other.pid == caller.handle.pid
        assert not service.stop_if_empty(caller.handle)
        assert service.stop_if_empty(other)


def test_a_new_client_waits_for_one_that_is_leaving(tmp_path: Path) -> None:
    """Stopped and started in quick succession, every client ends up with an emulator that answers."""
    for _ in range(3):
        handle = service.ensure_running(tmp_path)
        service.call(handle, "DELETE", f"clients/{handle.client}")
        again = service.ensure_running(tmp_path)
        assert again.pid != handle.pid
        assert service.stop_if_empty(again)


def test_it_leaves_with_its_folder(tmp_path: Path) -> None:
    """Whoever deletes the state folder ends the emulator and its machines too."""
    with rehearsal_cloud(tmp_path) as caller:
        _, address, port = _machine(caller)
        (caller.handle.state_folder / files.ADDRESS).unlink()
        _wait_until(lambda: not _answers(address, port), "the machine outlived its folder")


def test_it_leaves_when_empty_and_idle(tmp_path: Path) -> None:
    """Forgotten by everyone, an empty emulator ends by itself."""
    command = [sys.executable, "-m", "provisioning.rehearsal.serve", "--state", str(tmp_path / "rehearsal")]
    with subprocess.Popen([*command, "--idle-seconds", "0.1"]) as process:
        assert process.wait(_DEADLINE_SECONDS) == 0


def test_no_machine_at_an_address_is_an_error_with_a_hint(tmp_path: Path) -> None:
    """Asking for the port of a machine that does not run says so."""
    with rehearsal_cloud(tmp_path) as caller, pytest.raises(RehearsalError) as caught:
        service.machine_port(caller.handle, "127.99.99.99")
    assert caught.value.hint
