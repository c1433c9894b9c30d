"""A run whose machine was evicted goes on elsewhere, with its disk: real SDKs, real copies, real machines over SSH."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from provisioning.errors import CapacityError
from provisioning.rehearsal.service import change_settings, evict, jump_clock, logged_requests, running
from provisioning.types import Place, PowerState, ResourceKind
from remote.adoption import read_file
from remote.machine import wait_for_workspace
from remote.transfer import send_bytes
from runs import Run
from runs.cost import cost_of_run
from runs.facts import Decided, Moved, Prepared, Rented, Searching, Submitted
from runs.journal.attempts import AttemptLog
from runs.journal.charges import Component
from runs.spec.recipes import write_recipe
from runs.stages.provision import Provision
from runs.state_folder import StateFolder
from tests.fakes.arm_caller import ArmCaller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioning.rehearsal.service import EmulatorHandle
    from runs.context import RunContext

D2 = "Standard_D2s_v5"
MACHINE = f"{{size: {D2}, regions: [eastus, westus3], zones: [1, 2], spot: true, move: region}}\nlimits: {{dollars: 5}}"
WAIT_SECONDS = 150
# How many clients die, and about how many points a whole search passes.
CLIENTS, LATEST_POINT, SEED = 4, 400, 7
SAVED = "step 400"


def run_file(folder: Path) -> Path:
    """The smallest recipe with the machine above."""
    file = write_recipe("tiny-cpu", folder)
    lines = file.read_text().splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if line.startswith("machine:"))
    end = next(number for number in range(start + 1, len(lines)) if lines[number][0] not in " #\n")
    file.write_text("".join([*lines[:start], f"machine: {MACHINE}\n", *lines[end:]]))
    return file


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    """A run that was set up in eastus zone 1, with a file on its disk; nothing may be left of it in the end."""
    run = Run.create(run_file(tmp_path / "work"), state=StateFolder(tmp_path / "state"))
    with run.context() as opened:
        opened.cloud.account()
        Provision().act(opened)
        workspace = wait_for_workspace(opened.session(), opened.spec.storage.mount)
        opened.journal.put(opened.run_id, Prepared(workspace=workspace, python="python3"))
        send_bytes(opened.session(), SAVED.encode(), f"{workspace}/saved")
        yield opened
        assert Provision().is_done(opened)
        receipt = run.down(discard=True)
        assert all(line.confirmed_gone_at is not None for line in receipt.resources)
        assert opened.cloud.remaining(opened.run_id) == []


def emulator(context: RunContext) -> EmulatorHandle:
    """The emulator behind the run's cloud."""
    handle = running(context.state.root)
    assert handle is not None
    return handle


def take_away(context: RunContext, *full: dict[str, str]) -> None:
    """Evict the machine without notice, and leave no room in these places."""
    context.hang_up()
    change_settings(emulator(context), capacity=list(full))
    evict(emulator(context), f"{context.run_id}-vm")
    deadline = time.monotonic() + WAIT_SECONDS
    while (power := context.cloud.power(context.run_id)) is None or power.power is not PowerState.DEALLOCATED:
        assert time.monotonic() < deadline, "the machine was not taken away"


def saved(context: RunContext) -> bytes | None:
    """What the machine that the run has now reads from its disk."""
    return read_file(context.session(), f"{context.require(Prepared).workspace}/saved")


def tried(context: RunContext) -> list[tuple[str, str | None, str]]:
    """Region, zone and reason of every try since the first machine."""
    tries = AttemptLog(context.journal, context.run_id).all()[1:]
    return [(one.placement.region, one.placement.zone, one.code or str(one.outcome)) for one in tries]


def test_the_next_zone_has_a_machine(context: RunContext) -> None:
    """The evicted machine cannot be started; in the next zone a new one reads what the old one wrote."""
    take_away(context, {"region": "eastus", "zone": "1"})
    Provision().act(context)
    assert tried(context) == [("eastus", "1", "ZonalAllocationFailed"), ("eastus", "2", "rented")]
    assert context.require(Rented).zone == "2"
    assert saved(context) == SAVED.encode()
    found = context.cloud.find_workspace(context.run_id)
    assert found is not None
    assert (found.place, found.moving_to) == (Place("eastus", "2"), None)
    components = {line.component for line in cost_of_run(context.journal, context.run_id).lines}
    assert Component.SNAPSHOT in components
    assert context.get(Moved) is None


def test_killed_in_a_copy_to_another_region_the_next_client_goes_on_with_it(context: RunContext) -> None:
    """Hours of copying are not lost with the client: what was paid for is used, and the run goes on over there."""
    take_away(context, {"region": "eastus"})
    change_settings(emulator(context), snapshot_copy_seconds=300)
    argv = [sys.executable, "-m", "tests.fakes.search_until_killed", str(context.state.root), context.run_id]
    with subprocess.Popen(argv) as client:
        deadline = time.monotonic() + WAIT_SECONDS
        while not _is_copying(context):
            assert time.monotonic() < deadline, "the client copied nothing"
            assert client.poll() is None, "the client ended before it could be killed"
        client.kill()
    counted = context.require(Moved)
    assert counted.dollars > 0
    before = len(logged_requests(emulator(context)))
    jump_clock(emulator(context), 300)
    Provision().act(context)
    made = [one for one in logged_requests(emulator(context), before) if one.method == "PUT"]
    assert not [one for one in made if "/snapshots/" in one.path]
    assert context.require(Decided).region == "westus3"
    assert saved(context) == SAVED.encode()
    assert context.require(Moved) == counted
    assert tried(context)[-2:] == [("westus3", "1", "abandoned"), ("westus3", "1", "rented")]


def test_without_room_anywhere_the_disk_stays_and_waits(context: RunContext) -> None:
    """No region was paid for; when there is room at home again, the run goes on there."""
    take_away(context, {})
    with pytest.raises(CapacityError, match="no machine to be had") as caught:
        Provision().act(context)
    assert f"llamalift resume {context.run_id} --retry-until 6h" in caught.value.hint
    left = [ref.kind for ref in context.cloud.remaining(context.run_id)]
    assert left.count(ResourceKind.DISK) == 1
    assert not {ResourceKind.VIRTUAL_MACHINE, ResourceKind.SNAPSHOT, ResourceKind.PUBLIC_IP} & set(left)
    assert context.get(Moved) is None
    change_settings(emulator(context), capacity=[])
    context.journal.put(context.run_id, Searching(move="never"))
    Provision().act(context)
    assert saved(context) == SAVED.encode()
    assert context.require(Decided).region == "eastus"


def _is_copying(context: RunContext) -> bool:
    found = context.cloud.find_workspace(context.run_id)
    if found is None or found.moving_to is None or found.moving_to.region == "eastus":
        return False
    kinds = [ref.kind for ref in context.cloud.remaining(context.run_id)]
    return kinds.count(ResourceKind.SNAPSHOT) == 2


@pytest.fixture
def asleep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunContext]:
    """A run that was handed over in eastus, whose machine was taken away; no machine boots here."""
    monkeypatch.setenv("LLAMALIFT_MACHINES", "none")
    run = Run.create(run_file(tmp_path / "work"), state=StateFolder(tmp_path / "state"))
    with run.context() as opened:
        opened.cloud.account()
        Provision().act(opened)
        opened.journal.put(opened.run_id, Submitted(at=time.time()))
        take_away(opened, {"region": "eastus"})
        disk = opened.cloud.find_workspace(opened.run_id)
        assert disk is not None
        yield opened
        receipt = run.down(discard=True)
        assert all(line.confirmed_gone_at is not None for line in receipt.resources)
        assert opened.cloud.remaining(opened.run_id) == []


def test_clients_that_die_one_after_the_other_lose_nothing(asleep: RunContext) -> None:
    """At whatever write or request each of them ends, the last one finds the disk whole, and one machine with it."""
    folders = emulator(asleep).state_folder / "disks"
    marks = [folder / "saved" for folder in folders.iterdir()]
    for mark in marks:
        mark.write_text(SAVED)
    chance = random.Random(SEED)  # noqa: S311 - the same every time
    for _ in range(CLIENTS):
        argv = [sys.executable, "-m", "tests.fakes.search_until_killed", str(asleep.state.root), asleep.run_id]
        ended = subprocess.run([*argv, str(chance.randint(20, LATEST_POINT))], check=False, timeout=WAIT_SECONDS)
        assert ended.returncode in {0, -signal.SIGKILL}
        found = asleep.cloud.find_workspace(asleep.run_id)
        assert found is not None
        assert saved_below(asleep, found.name) == SAVED
    if not Provision().is_done(asleep):
        Provision().act(asleep)
    found = asleep.cloud.find_workspace(asleep.run_id)
    assert found is not None
    assert (found.place.region, found.moving_to) == ("westus3", None)
    assert saved_below(asleep, found.name) == SAVED
    kinds = [ref.kind for ref in asleep.cloud.remaining(asleep.run_id)]
    # The workspace and the machine's own.
    assert (kinds.count(ResourceKind.DISK), kinds.count(ResourceKind.VIRTUAL_MACHINE)) == (2, 1)
    assert ResourceKind.SNAPSHOT not in kinds


def saved_below(context: RunContext, disk: str) -> str:
    """What is on a disk, read from where the rehearsal cloud keeps it."""
    caller = ArmCaller(emulator(context))
    path = f"/resourceGroups/llamalift-{context.run_id}/providers/Microsoft.Compute/disks/{disk}"
    unique_id = caller.call("GET", path).body["properties"]["uniqueId"]
    saved: str = (emulator(context).state_folder / "disks" / unique_id / "saved").read_text()
    return saved
