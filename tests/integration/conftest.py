"""What integration tests share: for each module an emulator, an OpenSSH server, an Azurite; for a test a terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.fakes.azurite import azurite
from tests.fakes.ledgers import MemoryLedger
from tests.fakes.rehearsed import RUN_ID, machine_request, silent
from tests.fakes.ssh_machine import ssh_machine
from tests.fakes.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioning.rehearsal.cloud import RehearsalCloud
    from provisioning.rehearsal.service import EmulatorHandle
    from provisioning.types import MachineRequest
    from tests.fakes.ssh_machine import SshMachine

EMPTY_SECONDS = 30


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorHandle]:
    """One emulator for the module; it must be empty in the end."""
    from provisioning.rehearsal.service import ensure_running, stop_if_empty

    handle = ensure_running(tmp_path_factory.mktemp("state"))
    yield handle
    # A test that did not wait for an operation leaves it to end by itself.
    deadline = time.monotonic() + EMPTY_SECONDS
    while not stop_if_empty(handle):
        assert time.monotonic() < deadline, "something is left in the rehearsal cloud"


@pytest.fixture
def cloud(emulator: EmulatorHandle) -> Iterator[RehearsalCloud]:
    """A cloud in which no faults are scripted; whatever a test leaves of its run is deleted."""
    from provisioning.rehearsal.cloud import RehearsalCloud
    from provisioning.rehearsal.service import script_faults

    script_faults(emulator)
    # Not `open_rehearsal`: its `close` would end the emulator that the other tests use.
    cloud = RehearsalCloud(emulator)
    yield cloud
    script_faults(emulator)
    cloud.destroy(RUN_ID, [], MemoryLedger(), silent)


@pytest.fixture
def request_(cloud: RehearsalCloud) -> MachineRequest:
    """A machine that the rehearsal cloud has."""
    return machine_request(cloud)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshMachine]:
    """One OpenSSH server for the module."""
    with ssh_machine(tmp_path_factory.mktemp("machine") / "m") as running:
        yield running


@pytest.fixture
def there(machine: SshMachine, request: pytest.FixtureRequest) -> Path:
    """A folder of its own on the machine, which happens to be this computer."""
    return machine.workspace / str(request.node.name)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Azurite for the module."""
    with azurite(tmp_path_factory.mktemp("azurite")) as string:
        yield string


@pytest.fixture
def terminal(tmp_path: Path, machine_python: Path) -> Iterator[Terminal]:
    """A terminal with a state folder of its own; the training environment is the one that all tests share."""
    made = Terminal(tmp_path / "state", {"LLAMALIFT_ENVIRONMENT_CACHE": str(machine_python.parents[2])})
    yield made
    made.close()
    for line in made.json("ls"):
        if line["state"] != "ended":
            made.run("down", "--discard", line["run_id"])
    assert made.processes() == []
