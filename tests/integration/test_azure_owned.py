"""Everything of ours in a subscription is found, whoever made it, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provisioning.rehearsal.service import change_settings, script_faults
from provisioning.types import PowerState, ResourceKind
from tests.fakes.arm_caller import ArmCaller, Bodies
from tests.fakes.ledgers import MemoryLedger
from tests.fakes.rehearsed import HTTP_LOG, RUN_ID, calls, names_of, silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.owned_types import OwnedRun
    from provisioning.rehearsal.cloud import RehearsalCloud
    from provisioning.rehearsal.service import EmulatorHandle
    from provisioning.types import MachineRequest

GRAPH = "/providers/Microsoft.ResourceGraph/resources"
_DISK = "Microsoft.Compute/disks"


@pytest.fixture
def caller(emulator: EmulatorHandle) -> Iterator[ArmCaller]:
    """Makes and deletes what no run made; Resource Graph hears of everything at once again afterwards."""
    caller = ArmCaller(emulator)
    change_settings(emulator, graph_queries_per_window=1000)
    yield caller
    change_settings(emulator, graph_lag_seconds=0)
    for group in caller.call("GET", "/resourcegroups").body["value"]:
        caller.done("DELETE", f"/resourcegroups/{group['name']}")


def _disk(caller: ArmCaller, group: str, name: str, tags: dict[str, str]) -> None:
    bodies = Bodies(caller, group)
    caller.done("PUT", bodies.path(_DISK, name), bodies.disk() | {"tags": tags})


def _group(caller: ArmCaller, name: str, tags: dict[str, str]) -> None:
    caller.done("PUT", f"/resourcegroups/{name}", {"location": "eastus", "tags": tags})


def _names(run: OwnedRun) -> set[str]:
    return {item.ref.name for item in run.items}


@pytest.mark.parametrize("confirm", [True, False])
def test_a_run_is_told_with_all_that_it_costs(
    cloud: RehearsalCloud, request_: MachineRequest, *, confirm: bool
) -> None:
    """Group, machine with power and size, both disks, whose it is and until when."""
    expires = {"llamalift-expires": "2026-11-25T20:00:00Z"}
    cloud.provision(replace(request_, tags={**request_.tags, **expires}), MemoryLedger(), silent)
    (run,) = cloud.owned(confirm=confirm)
    assert (run.run_id, run.owner, run.has_group, run.strays) == (RUN_ID, "ada", True, ())
    assert run.expires_at is not None
    assert run.expires_at.isoformat() == "2026-11-25T20:00:00+00:00"
    assert run.power is PowerState.RUNNING
    assert run.created_at is not None
    machine = next(item for item in run.items if item.ref.kind is ResourceKind.VIRTUAL_MACHINE)
    assert (machine.size, machine.region, machine.is_spot) == (request_.size, "eastus", False)
    disks = {item.ref.name: (item.gib, item.disk_type) for item in run.items if item.ref.kind is ResourceKind.DISK}
    names = names_of(cloud)
    assert disks == {names.workspace_disk: (64, "Premium_LRS"), names.os_disk: (128, "Premium_LRS")}


def test_orphans_made_by_hand_are_found_and_others_are_not(cloud: RehearsalCloud, caller: ArmCaller) -> None:
    """A tagged disk in someone's group; a disk in a group that lost its tag; a group whose machine is gone."""
    _group(caller, "theirs", {"owner": "someone"})
    _disk(caller, "theirs", "copy", {"llamalift-run": "old-aaaaaa"})
    _disk(caller, "theirs", "private", {"owner": "someone"})
    _group(caller, "llamalift-lost-bbbbbb", {})
    _disk(caller, "llamalift-lost-bbbbbb", "lost", {"llamalift-run": "lost-bbbbbb"})
    _disk(caller, "llamalift-lost-bbbbbb", "untagged", {})
    _group(caller, "llamalift-empty-cccccc", {"llamalift-run": "empty-cccccc", "llamalift-owner": "eve"})
    _disk(caller, "llamalift-empty-cccccc", "os", {})
    for confirm in (True, False):
        found = {run.run_id: run for run in cloud.owned(confirm=confirm)}
        assert found.keys() == {"old-aaaaaa", "lost-bbbbbb", "empty-cccccc"}
        assert [item.ref.name for item in found["old-aaaaaa"].strays] == ["copy"]
        assert _names(found["lost-bbbbbb"]) == {"lost"}
        assert _names(found["empty-cccccc"]) == {"llamalift-empty-cccccc", "os"}
        assert (found["empty-cccccc"].owner, found["empty-cccccc"].power) == ("eve", PowerState.ABSENT)


def test_what_resource_graph_hears_late_is_told_as_it_is(cloud: RehearsalCloud, caller: ArmCaller) -> None:
    """What is gone is not told although the query finds it; a group that the query does not know yet is."""
    _group(caller, "llamalift-gone-aaaaaa", {"llamalift-run": "gone-aaaaaa"})
    _disk(caller, "llamalift-gone-aaaaaa", "data", {})
    change_settings(caller.handle, graph_lag_seconds=500)
    before = [run.run_id for run in cloud.owned(confirm=False)]
    caller.done("DELETE", "/resourcegroups/llamalift-gone-aaaaaa")
    _group(caller, "llamalift-young-bbbbbb", {"llamalift-run": "young-bbbbbb"})
    _disk(caller, "llamalift-young-bbbbbb", "data", {})
    assert [run.run_id for run in cloud.owned(confirm=False)] == before
    (young,) = cloud.owned()
    assert (young.run_id, _names(young)) == ("young-bbbbbb", {"llamalift-young-bbbbbb", "data"})


def test_without_resource_graph_the_lists_serve(cloud: RehearsalCloud, caller: ArmCaller) -> None:
    """An account that may not ask it, or a subscription that is throttled there, finds the same."""
    _group(caller, "theirs", {})
    _disk(caller, "theirs", "copy", {"llamalift-run": "old-aaaaaa"})
    _disk(caller, "theirs", "private", {})
    _group(caller, "llamalift-empty-cccccc", {"llamalift-run": "empty-cccccc"})
    _disk(caller, "llamalift-empty-cccccc", "os", {})
    expected = cloud.owned()
    assert [run.run_id for run in expected] == ["empty-cccccc", "old-aaaaaa"]
    body = {"error": {"code": "AuthorizationFailed", "message": "No."}}
    script_faults(caller.handle, {"method": "POST", "path": GRAPH, "status": 403, "body": body, "count": 0})
    assert cloud.owned() == expected
    assert cloud.owned(confirm=False) == expected


def test_more_runs_than_a_page_are_read_by_pages(cloud: RehearsalCloud, caller: ArmCaller) -> None:
    """What Resource Graph cuts off, because it gives a thousand rows at most, is asked for row by row."""
    _group(caller, "theirs", {})
    _disk(caller, "theirs", "copy", {"llamalift-run": "old-aaaaaa"})
    expected = cloud.owned(confirm=False)
    cut: dict[str, object] = {"totalRecords": 2000, "count": 0, "data": [], "facets": [], "resultTruncated": "true"}
    script_faults(caller.handle, {"method": "POST", "path": GRAPH, "status": 200, "body": cut})
    assert cloud.owned(confirm=False) == expected
    assert [run.run_id for run in expected] == ["old-aaaaaa"]


def test_polling_takes_one_call(cloud: RehearsalCloud, caller: ArmCaller, caplog: pytest.LogCaptureFixture) -> None:
    """However many runs there are, as long as they fit a page."""
    for number in range(12):
        _group(caller, f"llamalift-many-{number:06}", {"llamalift-run": f"many-{number:06}"})
    cloud.account()
    caplog.set_level("INFO", HTTP_LOG)
    assert len(cloud.owned(confirm=False)) == 12
    seen = [call for call in calls(caplog, "GET", "POST", "HEAD") if re.search("providers|subscriptions", call)]
    assert seen == [f"POST {GRAPH}"]
