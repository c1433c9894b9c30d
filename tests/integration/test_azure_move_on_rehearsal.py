"""The workspace disk goes to another zone or region with all that is on it, wherever its client is killed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provisioning.errors import CapacityError, MoveFailedError, RequestRefusedError
from provisioning.rehearsal.service import change_settings, jump_clock, script_faults
from provisioning.types import Place, Placement, PowerState, ResourceKind
from tests.fakes.arm_caller import ArmCaller, Bodies
from tests.fakes.ledgers import MemoryLedger
from tests.fakes.rehearsed import RUN_ID, kinds, names_of, silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioning.rehearsal.cloud import RehearsalCloud
    from provisioning.rehearsal.service import EmulatorHandle
    from provisioning.types import MachineRequest

SIZE = "Standard_NC24ads_A100_v4"
HERE = Placement("eastus", "1", SIZE, spot=True)
OTHER_ZONE = replace(HERE, zone="2")
OTHER_REGION = replace(HERE, region="westus3")
EVERYWHERE = pytest.mark.parametrize("to", [OTHER_ZONE, OTHER_REGION], ids=["zone", "region"])
TAGS = {"llamalift-machine": "there"}
SAVED = "step 400"


@pytest.fixture(scope="module", autouse=True)
def _without_machines() -> Iterator[None]:
    """What is on a disk is read from outside here, so no machine need boot."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLAMALIFT_MACHINES", "none")
        yield


@pytest.fixture(autouse=True)
def _as_before(emulator: EmulatorHandle) -> Iterator[None]:
    """Each test scripts its own cloud."""
    yield
    change_settings(emulator, capacity=[], snapshot_copy_seconds=0, failing_snapshot_copies=[])


@pytest.fixture
def disk(cloud: RehearsalCloud, emulator: EmulatorHandle) -> Path:
    """A run of which only its workspace disk is there, with a checkpoint on it; where its bytes are."""
    names, caller = names_of(cloud), ArmCaller(emulator)
    tags = {"llamalift-run": RUN_ID}
    caller.done("PUT", f"/resourcegroups/{names.group}", {"location": "eastus", "tags": tags})
    bodies = Bodies(caller, names.group)
    body = bodies.disk() | {"tags": tags, "zones": ["1"], "sku": {"name": "Premium_LRS"}}
    caller.done("PUT", bodies.path("Microsoft.Compute/disks", names.workspace_disk), body)
    folder = folder_of(cloud, emulator, names.workspace_disk)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "manifest").write_text(SAVED)
    (folder / "latest").symlink_to("checkpoints")
    return folder


def folder_of(cloud: RehearsalCloud, emulator: EmulatorHandle, name: str) -> Path:
    """Where the rehearsal cloud keeps the bytes of a disk."""
    found = cloud._open().compute.disks.get(names_of(cloud).group, name)
    folders = list(emulator.state_folder.rglob(f"disks/{found['properties']['uniqueId']}"))
    assert len(folders) == 1
    return folders[0]


def saved_on(cloud: RehearsalCloud, emulator: EmulatorHandle, name: str) -> str:
    """What is read from the disk through its link."""
    return (folder_of(cloud, emulator, name) / "latest" / "manifest").read_text()


def left(cloud: RehearsalCloud) -> dict[str, ResourceKind]:
    """What there is of the run, but its group."""
    refs = cloud.remaining(RUN_ID)
    return {ref.name: ref.kind for ref in refs if ref.kind is not ResourceKind.RESOURCE_GROUP}


@pytest.mark.usefixtures("disk")
@EVERYWHERE
def test_the_disk_stands_elsewhere_with_all_that_was_on_it(
    cloud: RehearsalCloud, emulator: EmulatorHandle, to: Placement
) -> None:
    """Same type and size, new tags; the old disk and every snapshot are proven gone, the old disk before them."""
    ledger = MemoryLedger()
    moved = cloud.move_disk(RUN_ID, to, TAGS, ledger, silent)
    assert (moved.name, moved.place, moved.gib) == (f"{RUN_ID}-workspace-2", Place(to.region, to.zone), 32)
    assert cloud.find_workspace(RUN_ID) == moved
    assert left(cloud) == {moved.name: ResourceKind.DISK}
    assert saved_on(cloud, emulator, moved.name) == SAVED
    snapshots = 1 if to.region == HERE.region else 2
    assert kinds(ledger, "gone") == [ResourceKind.DISK, *[ResourceKind.SNAPSHOT] * snapshots]
    assert {ref.name for ref in ledger.refs.values()} >= {f"{RUN_ID}-workspace", moved.name}
    found = cloud._open().compute.disks.get(names_of(cloud).group, moved.name)
    assert found["sku"]["name"] == "Premium_LRS"
    assert found["tags"] == {**TAGS, "llamalift-run": RUN_ID}
    described = cloud.describe(RUN_ID)
    assert described is not None
    assert (described.workspace_gib, described.tags["llamalift-machine"]) == (32, "there")
    again = MemoryLedger()
    assert cloud.move_disk(RUN_ID, to, TAGS, again, silent) == moved
    assert again.lines == []


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize(("to", "writes"), [(OTHER_ZONE, 8), (OTHER_REGION, 12)], ids=["zone", "region"])
def test_killed_before_any_write_the_next_client_ends_the_move(
    cloud: RehearsalCloud, emulator: EmulatorHandle, to: Placement, writes: int
) -> None:
    """One client after the other dies, each one write later than the one before; nothing is lost, doubled or left."""
    source = HERE
    for number in range(writes):
        with pytest.raises(KeyboardInterrupt):
            cloud.move_disk(RUN_ID, to, TAGS, MemoryLedger(dies_before=number), silent)
        known = cloud.find_workspace(RUN_ID)
        assert known is not None
        assert saved_on(cloud, emulator, known.name) == SAVED
        moved = cloud.move_disk(RUN_ID, to, TAGS, MemoryLedger(), silent)
        assert moved.place == Place(to.region, to.zone)
        assert left(cloud) == {moved.name: ResourceKind.DISK}
        assert saved_on(cloud, emulator, moved.name) == SAVED
        source, to = to, source
    ledger = MemoryLedger()
    cloud.move_disk(RUN_ID, to, TAGS, ledger, silent)
    assert len(ledger.lines) == writes


@pytest.mark.usefixtures("disk")
def test_a_copy_is_waited_for_to_its_last_byte(cloud: RehearsalCloud, emulator: EmulatorHandle) -> None:
    """The call that begins it succeeds long before; what is waited for is told, and a killed client's copy goes on."""
    change_settings(emulator, snapshot_copy_seconds=300)
    told: list[str] = []

    def say(message: str) -> None:
        told.append(message)
        if "% copied" in message:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cloud.move_disk(RUN_ID, OTHER_REGION, TAGS, MemoryLedger(), say)
    assert "0 % copied" in told[-1]
    found = cloud.find_workspace(RUN_ID)
    assert found is not None
    assert (found.place, found.moving_to) == (Place("eastus", "1"), Place("westus3", "1"))
    jump_clock(emulator, 300)
    ledger = MemoryLedger()
    moved = cloud.move_disk(RUN_ID, OTHER_REGION, TAGS, ledger, silent)
    assert ResourceKind.SNAPSHOT not in kinds(ledger, "intended")
    assert saved_on(cloud, emulator, moved.name) == SAVED


@pytest.mark.usefixtures("disk")
def test_a_copy_that_fails_leaves_the_disk_where_it_was(cloud: RehearsalCloud, emulator: EmulatorHandle) -> None:
    """Its error arrives in the snapshot, after a success; what was made for the move is deleted."""
    change_settings(emulator, failing_snapshot_copies=["westus3"])
    with pytest.raises(MoveFailedError) as caught:
        cloud.move_disk(RUN_ID, OTHER_REGION, TAGS, MemoryLedger(), silent)
    assert caught.value.code == "CopySourceNotFound"
    found = cloud.find_workspace(RUN_ID)
    assert found is not None
    assert (found.place, found.moving_to) == (Place("eastus", "1"), None)
    assert left(cloud) == {found.name: ResourceKind.DISK}
    assert saved_on(cloud, emulator, found.name) == SAVED


@pytest.mark.parametrize("what", ["snapshots", "disks"])
def test_what_fails_to_be_made_is_made_anew(
    cloud: RehearsalCloud, emulator: EmulatorHandle, disk: Path, what: str
) -> None:
    """A snapshot or disk in state Failed is no copy of anything."""
    fault = {"method": "PUT", "path": f"{what}/[^/]+$", "trouble": "fails-later"}
    script_faults(emulator, fault)
    for _ in range(2):
        try:
            moved = cloud.move_disk(RUN_ID, OTHER_ZONE, TAGS, MemoryLedger(), silent)
            break
        except Exception:  # noqa: BLE001 - whatever the cloud said, the next client goes on
            assert (disk / "checkpoints" / "manifest").read_text() == SAVED
    assert saved_on(cloud, emulator, moved.name) == SAVED
    assert left(cloud) == {moved.name: ResourceKind.DISK}


def test_what_was_written_since_is_never_lost(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest, disk: Path
) -> None:
    """A machine that held the disk after the snapshot was taken makes it worthless: it is taken anew."""
    with pytest.raises(KeyboardInterrupt):
        cloud.move_disk(RUN_ID, OTHER_ZONE, TAGS, MemoryLedger(dies_at=("created", ResourceKind.DISK)), silent)
    assert {f"{RUN_ID}-workspace", f"{RUN_ID}-workspace-2"} <= left(cloud).keys()
    cloud.provision(replace(request_, zone="1", workspace_gib=32, keeps_disk=True), MemoryLedger(), silent)
    (disk / "checkpoints" / "manifest").write_text("step 500")
    cloud.vacate(RUN_ID, OTHER_ZONE, MemoryLedger(), silent, keep_disk=True)
    moved = cloud.move_disk(RUN_ID, OTHER_ZONE, TAGS, MemoryLedger(), silent)
    assert saved_on(cloud, emulator, moved.name) == "step 500"
    kept = {name for name, kind in left(cloud).items() if kind in {ResourceKind.DISK, ResourceKind.SNAPSHOT}}
    assert kept == {moved.name}


@EVERYWHERE
def test_a_machine_gets_the_moved_disk(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest, to: Placement
) -> None:
    """Machine gone with the disk kept, disk moved, machine there: it holds the disk that was moved, and no other."""
    here = replace(request_, zone="1", spot=True)
    cloud.provision(here, MemoryLedger(), silent)
    first = folder_of(cloud, emulator, f"{RUN_ID}-workspace")
    (first / "saved").write_text(SAVED)
    with pytest.raises(RequestRefusedError, match="in use"):
        cloud.move_disk(RUN_ID, to, TAGS, MemoryLedger(), silent)
    cloud.vacate(RUN_ID, to, MemoryLedger(), silent, keep_disk=True)
    assert cloud.find_machine(RUN_ID) is None
    moved = cloud.move_disk(RUN_ID, to, TAGS, MemoryLedger(), silent)
    there = replace(here, region=to.region, zone=to.zone, keeps_disk=True)
    machine = cloud.provision(there, MemoryLedger(), silent)
    assert (machine.region, machine.zone, machine.power) == (to.region, to.zone, PowerState.RUNNING)
    body = cloud._open().compute.virtual_machines.get(names_of(cloud).group, names_of(cloud).machine)
    (held,) = body["properties"]["storageProfile"]["dataDisks"]
    assert held["managedDisk"]["id"].endswith(f"/{moved.name}")
    assert (folder_of(cloud, emulator, moved.name) / "saved").read_text() == SAVED
    found = cloud.describe(RUN_ID)
    assert found is not None
    assert found.workspace_gib == here.workspace_gib
    (run,) = cloud.owned()
    assert {item.gib for item in run.items if item.ref.name == moved.name} == {here.workspace_gib}


def test_a_run_that_has_a_disk_never_gets_an_empty_one(cloud: RehearsalCloud, request_: MachineRequest) -> None:
    """Where its disk is not, or is no more, no machine is made with another."""
    with pytest.raises(RequestRefusedError, match="not there any more"):
        cloud.provision(replace(request_, keeps_disk=True), MemoryLedger(), silent)
    assert left(cloud) == {}


@pytest.mark.usefixtures("disk")
def test_a_move_elsewhere_is_taken_back_before_a_machine_gets_the_disk(cloud: RehearsalCloud) -> None:
    """Else a later move would go on with a snapshot from before."""
    with pytest.raises(KeyboardInterrupt):
        cloud.move_disk(RUN_ID, OTHER_ZONE, TAGS, MemoryLedger(dies_at=("doomed", ResourceKind.DISK)), silent)
    cloud.vacate(RUN_ID, OTHER_ZONE, MemoryLedger(), silent, keep_disk=True)
    assert len(left(cloud)) == 3
    ledger = MemoryLedger()
    cloud.vacate(RUN_ID, HERE, ledger, silent, keep_disk=True)
    assert left(cloud) == {f"{RUN_ID}-workspace": ResourceKind.DISK}
    assert kinds(ledger, "gone") == [ResourceKind.DISK, ResourceKind.SNAPSHOT]


@pytest.mark.usefixtures("disk")
def test_down_takes_all_that_a_move_has_made(cloud: RehearsalCloud) -> None:
    """Both disks, both snapshots, each proven; a sweep sees them, too."""
    with pytest.raises(KeyboardInterrupt):
        cloud.move_disk(RUN_ID, OTHER_REGION, TAGS, MemoryLedger(dies_at=("doomed", ResourceKind.DISK)), silent)
    (run,) = cloud.owned(confirm=False)
    seen = [item.ref.kind for item in run.items]
    assert (seen.count(ResourceKind.DISK), seen.count(ResourceKind.SNAPSHOT)) == (2, 2)
    ledger = MemoryLedger()
    cloud.destroy(RUN_ID, [], ledger, silent)
    assert cloud.remaining(RUN_ID) == []
    assert kinds(ledger, "gone").count(ResourceKind.SNAPSHOT) == 2


def test_a_probe_rents_and_gives_back(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest, disk: Path
) -> None:
    """A machine with a disk of its own, which both go again; the workspace is never touched."""
    there = replace(request_, region="westus3", zone="1", spot=True)
    ledger = MemoryLedger()
    cloud.probe(there, ledger, silent)
    assert cloud.find_machine(RUN_ID) is None
    assert f"{RUN_ID}-placeholder" in {ref.name for ref in ledger.refs.values()}
    disks = {name for name, kind in left(cloud).items() if kind is ResourceKind.DISK}
    assert disks == {f"{RUN_ID}-workspace"}
    change_settings(emulator, capacity=[{"region": "westus3"}])
    with pytest.raises(CapacityError):
        cloud.probe(there, MemoryLedger(), silent)
    cloud.vacate(RUN_ID, HERE, MemoryLedger(), silent, keep_disk=True)
    assert left(cloud) == {f"{RUN_ID}-workspace": ResourceKind.DISK}
    assert (disk / "checkpoints" / "manifest").read_text() == SAVED
