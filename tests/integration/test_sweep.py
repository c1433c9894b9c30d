"""`llamalift sweep`: whatever is left of us is found, told with its price, and deleted; nothing else is touched."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from cli.app import app
from cli.sweeping import remove_found
from provisioning.errors import LeftoversError
from provisioning.rehearsal.service import change_settings, script_faults
from provisioning.types import ResourceKind
from runs.driver import DRIVER_TAG, Driver
from runs.facts import Prepared, Submitted
from runs.journal import Journal
from runs.journal.lease import lease
from runs.ledger import RunLedger
from runs.state_folder import StateFolder
from runs.sweep import sweep
from runs.types import RunRow, RunState
from tests.fakes.arm_caller import ArmCaller, Bodies
from tests.fakes.decisions import decided
from tests.fakes.ledgers import MemoryLedger
from tests.fakes.rehearsed import RUN_ID, names_of, silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer.testing import Result

    from provisioning.rehearsal.cloud import RehearsalCloud
    from provisioning.rehearsal.service import EmulatorHandle
    from provisioning.types import MachineRequest

_DISK = "Microsoft.Compute/disks"
_TEXT = "name: rehearsed\ncloud: rehearsal\nmodel: {from: hf://a/b}\ndata: {from: hf://datasets/a/b/c.json}\n"


@pytest.fixture
def caller(emulator: EmulatorHandle) -> Iterator[ArmCaller]:
    """Makes what no run made; everything is deleted afterwards."""
    caller = ArmCaller(emulator)
    change_settings(emulator, graph_queries_per_window=1000)
    yield caller
    for group in caller.call("GET", "/resourcegroups").body["value"]:
        caller.done("DELETE", f"/resourcegroups/{group['name']}")


@pytest.fixture
def state(emulator: EmulatorHandle, monkeypatch: pytest.MonkeyPatch) -> Iterator[StateFolder]:
    """The state folder in which the emulator lives; its journal is as good as new for each test."""
    root = emulator.state_folder.parent
    monkeypatch.setenv("LLAMALIFT_STATE_DIR", str(root))
    yield StateFolder(root)
    for file in root.glob("journal.sqlite*"):
        file.unlink()


def _sweep(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, ["sweep", "--cloud", "rehearsal", *arguments], input=answer)


def _json(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def _group(caller: ArmCaller, name: str, tags: dict[str, str]) -> None:
    caller.done("PUT", f"/resourcegroups/{name}", {"location": "eastus", "tags": tags})


def _disk(caller: ArmCaller, group: str, name: str, tags: dict[str, str]) -> None:
    bodies = Bodies(caller, group)
    caller.done("PUT", bodies.path(_DISK, name), bodies.disk() | {"tags": tags})


def _disks(caller: ArmCaller, group: str) -> list[str]:
    listed = caller.call("GET", f"/resourceGroups/{group}/providers/{_DISK}").body["value"]
    return [disk["name"] for disk in listed]


def _enter(state: StateFolder, cloud: RehearsalCloud) -> Journal:
    """The run in this computer's journal, before anything exists."""
    journal = Journal(state.journal)
    row = RunRow(RUN_ID, "rehearsed", "rehearsal", 1.0, "/nowhere/run.yaml", _TEXT, "0" * 64, RunState.ACTIVE)
    journal.add_run(row)
    journal.put(RUN_ID, decided(subscription_id=cloud.account().subscription_id))
    return journal


def test_nothing_left_is_told_and_succeeds(state: StateFolder, caller: ArmCaller) -> None:
    """Exit code 0; what others own does not count, and no journal is made by looking."""
    _group(caller, "theirs", {"owner": "someone"})
    _disk(caller, "theirs", "private", {})
    result = _sweep()
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing of llamalift is left" in result.stderr
    assert _json(_sweep("--json"))["left"] == 0
    assert not state.journal.exists()


def test_orphans_go_and_what_is_not_ours_stays(state: StateFolder, caller: ArmCaller) -> None:
    """From a computer that knows nothing: a copy in someone's group, a group that lost its tag, an empty group."""
    _group(caller, "theirs", {"owner": "someone"})
    _disk(caller, "theirs", "copy", {"llamalift-run": "old-aaaaaa"})
    _disk(caller, "theirs", "private", {"owner": "someone"})
    _group(caller, "llamalift-lost-bbbbbb", {})
    _disk(caller, "llamalift-lost-bbbbbb", "lost", {"llamalift-run": "lost-bbbbbb"})
    _disk(caller, "llamalift-lost-bbbbbb", "untagged", {})
    _group(caller, "llamalift-empty-cccccc", {"llamalift-run": "empty-cccccc"})
    assert _sweep().exit_code == 6

    cautious = _json(_sweep("--remove", "--yes", "--json"))
    outcome = {run["run_id"]: run["removal"]["is_removed"] for run in cautious["runs"]}
    assert outcome == {"old-aaaaaa": False, "lost-bbbbbb": False, "empty-cccccc": True}
    assert cautious["left"] == 2

    result = _sweep("--remove", "--yes", "--discard", "--json")
    assert result.exit_code == 0, result.stderr
    gone = {each["name"] for run in _json(result)["runs"] for each in run["removal"]["confirmed"]}
    assert gone == {"copy", "lost"}
    assert (_disks(caller, "theirs"), _disks(caller, "llamalift-lost-bbbbbb")) == (["private"], ["untagged"])
    assert (state.root / "sweeps.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_known_run_ends_in_the_journal(
    cloud: RehearsalCloud, request_: MachineRequest, state: StateFolder, caller: ArmCaller
) -> None:
    """With its price; the answer no leaves it, yes ends it as `down` would; a stray elsewhere goes alone."""
    journal = _enter(state, cloud)
    cloud.provision(request_, RunLedger(journal, RUN_ID), silent)
    _group(caller, "theirs", {})
    _disk(caller, "theirs", "copy", {"llamalift-run": RUN_ID})
    (seen,) = _json(_sweep("--json"))["runs"]
    assert (seen["this_computer"], seen["machine"], seen["risk"], seen["owner"]) == ("active", "running", "", "ada")
    # One GPU machine by the day, and at least its disks.
    assert seen["dollars_per_day"] > 24 * 3
    assert [each["name"] for each in seen["resources"] if not each["in_own_group"]] == ["copy"]

    result = _sweep("--remove", "--yes", "--run", RUN_ID)
    assert result.exit_code == 0, result.stderr
    assert journal.run(RUN_ID).state is RunState.ENDED
    assert all(effect.gone_at for effect in journal.effects(RUN_ID))
    assert (state.run(RUN_ID) / "receipt.json").exists()
    assert cloud.remaining(RUN_ID) == []
    assert caller.call("GET", "/resourcegroups/theirs").status == 200


def test_nobody_to_ask_is_refused_before_anything(state: StateFolder) -> None:
    """A script must say `--yes`; otherwise it is wrong usage."""
    assert state.root.exists()
    result = _sweep("--remove")
    assert result.exit_code == 2
    assert "--yes" in result.stderr


def test_each_run_is_asked_for(cloud: RehearsalCloud, state: StateFolder, caller: ArmCaller) -> None:
    """With its price and age; a run to which the answer is no stays."""
    for run_id in ("one-aaaaaa", "two-bbbbbb"):
        _group(caller, f"llamalift-{run_id}", {"llamalift-run": run_id})
    asking = typer.Typer()

    @asking.command()
    def ask() -> None:
        removals = remove_found(sweep(cloud, state), cloud, state, yes=False, discard=False)
        typer.echo(json.dumps({run_id: removal.is_removed for run_id, removal in removals.items()}))

    result = CliRunner().invoke(asking, [], input="n\ny\n")
    assert "delete one-aaaaaa with 1 resource ($0.00 a day)?" in result.stderr
    # The runner shows what was typed, too.
    assert json.loads(result.stdout.splitlines()[-1]) == {"one-aaaaaa": False, "two-bbbbbb": True}
    assert [run.run_id for run in sweep(cloud, state)] == ["one-aaaaaa"]


def test_what_a_living_client_drives_is_left_alone(
    cloud: RehearsalCloud, state: StateFolder, caller: ArmCaller
) -> None:
    """The answer names the process; when it has gone, the run can go, too."""
    journal = _enter(state, cloud)
    _group(caller, names_of(cloud).group, {"llamalift-run": RUN_ID})
    with lease(journal, RUN_ID):
        result = _sweep("--remove", "--yes", "--discard")
    assert result.exit_code == 6
    assert f"process {os.getpid()}" in result.stderr
    assert _sweep("--remove", "--yes").exit_code == 0


def test_what_another_computer_drives_is_left_alone(
    cloud: RehearsalCloud, state: StateFolder, caller: ArmCaller
) -> None:
    """The group's tag says so to computers that know nothing; when it has let go, the run can go."""
    other = Driver(client="c", host="laptop", node="n", pid=7, since=1, beat=int(time.time()))
    tags = {"llamalift-run": RUN_ID}
    _group(caller, names_of(cloud).group, tags | {DRIVER_TAG: other.to_tag()})
    result = _sweep("--remove", "--yes")
    assert result.exit_code == 6
    assert "process 7 on laptop" in result.stderr
    journal = _enter(state, cloud)
    _group(caller, names_of(cloud).group, tags | {DRIVER_TAG: replace(other, beat=0).to_tag()})
    assert _json(_sweep("--json"))["runs"][0]["this_computer"] == "taken over elsewhere"
    assert _sweep("--remove", "--yes").exit_code == 0
    assert journal.run(RUN_ID).state is RunState.ENDED


def test_a_model_that_is_not_home_is_not_deleted(cloud: RehearsalCloud, state: StateFolder, caller: ArmCaller) -> None:
    """Unless it is given up in so many words."""
    journal = _enter(state, cloud)
    journal.put(RUN_ID, Prepared(workspace="/workspace", python="/python"))
    journal.put(RUN_ID, Submitted(at=1.0))
    _group(caller, names_of(cloud).group, {"llamalift-run": RUN_ID})
    result = _sweep("--remove", "--yes")
    assert result.exit_code == 6
    assert "not at home" in result.stderr
    assert _sweep("--remove", "--yes", "--discard").exit_code == 0
    assert cloud.remaining(RUN_ID) == []


def test_what_came_back_after_the_end_is_removed(cloud: RehearsalCloud, state: StateFolder, caller: ArmCaller) -> None:
    """A run that the journal has ended is ended again."""
    journal = _enter(state, cloud)
    journal.set_run_state(RUN_ID, RunState.ENDED)
    _group(caller, names_of(cloud).group, {"llamalift-run": RUN_ID})
    assert _json(_sweep("--json"))["runs"][0]["this_computer"] == "ended"
    assert _sweep("--remove", "--yes").exit_code == 0
    assert journal.run(RUN_ID).state is RunState.ENDED
    assert cloud.remaining(RUN_ID) == []


def test_what_cannot_be_deleted_is_told_with_its_reason(
    cloud: RehearsalCloud, emulator: EmulatorHandle, caller: ArmCaller, state: StateFolder
) -> None:
    """Exit code 6, and the id with what the cloud said, in words and as data."""
    _group(caller, names_of(cloud).group, {"llamalift-run": RUN_ID})
    lock = f"/resourceGroups/{names_of(cloud).group}/providers/Microsoft.Authorization/locks/keep"
    caller.done("PUT", lock, {"properties": {"level": "CanNotDelete"}})
    try:
        result = _sweep("--remove", "--yes", "--json")
    finally:
        caller.done("DELETE", lock)
        script_faults(emulator)
    assert result.exit_code == 6
    removal = _json(result)["runs"][0]["removal"]
    assert "locked" in removal["remaining"][0][1]
    assert removal["remaining"][0][1] in result.stderr
    assert state.root.exists()


def test_down_gives_a_receipt_of_what_is_gone_and_of_what_is_not(
    cloud: RehearsalCloud, caller: ArmCaller, state: StateFolder
) -> None:
    """As data on standard output, although it ends with an error; the next one ends the run."""
    journal, names = _enter(state, cloud), names_of(cloud)
    _group(caller, names.group, {"llamalift-run": RUN_ID})
    for name in (names.workspace_disk, names.os_disk):
        _disk(caller, names.group, name, {})
    disk = names.id_of(ResourceKind.DISK, names.workspace_disk)
    lock = f"{disk}/providers/Microsoft.Authorization/locks/keep"
    caller.done("PUT", lock, {"properties": {"level": "CanNotDelete"}})
    try:
        result = CliRunner().invoke(app, ["down", "--json", RUN_ID])
    finally:
        caller.done("DELETE", lock)
    assert isinstance(result.exception, LeftoversError)
    lines = {line["name"]: line for line in _json(result)["resources"]}
    assert lines[names.os_disk]["confirmed_gone_at"]
    assert "locked" in lines[names.workspace_disk]["why_left"]
    result = CliRunner().invoke(app, ["down", "--json", RUN_ID])
    assert not any(line["why_left"] for line in _json(result)["resources"])
    assert journal.run(RUN_ID).state is RunState.ENDED


def test_a_killed_sweep_is_finished_by_the_next(
    cloud: RehearsalCloud, request_: MachineRequest, emulator: EmulatorHandle, state: StateFolder
) -> None:
    """The tags are enough: nothing that the first one knew is needed."""
    cloud.provision(request_, MemoryLedger(), silent)
    blocked = {"code": "ResourceGroupDeletionBlocked", "message": "Deletion of resource group failed."}
    script_faults(emulator, {"method": "DELETE", "path": "resourceGroups/[^/]+$", "operation_error": blocked})
    with pytest.raises(KeyboardInterrupt):
        cloud.destroy(RUN_ID, [], MemoryLedger(dies_at=("gone", ResourceKind.NETWORK_INTERFACE)), silent)
    assert _sweep("--remove", "--yes", "--discard").exit_code == 0
    assert cloud.remaining(RUN_ID) == []
    assert state.root.exists()
