"""Scripted faults as a client meets them: before or after the effect, on the call or in its operation."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING

import pytest

from provisioning.errors import RehearsalError
from provisioning.rehearsal import service
from tests.fakes.arm_caller import ArmCaller, Bodies, rehearsal_cloud

if TYPE_CHECKING:
    from collections.abc import Iterator

_NET, _NIC, _PIP = (
    f"Microsoft.Network/{kind}" for kind in ("virtualNetworks", "networkInterfaces", "publicIPAddresses")
)
_DISK, _VM = "Microsoft.Compute/disks", "Microsoft.Compute/virtualMachines"
_NO_ANSWER = (ConnectionError, http.client.RemoteDisconnected)


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArmCaller]:
    """One emulator for this file, with one group."""
    with rehearsal_cloud(tmp_path_factory.mktemp("faults")) as caller:
        caller.done("PUT", "/resourceGroups/faults", {"location": "eastus"})
        yield caller


@pytest.fixture
def bodies(caller: ArmCaller) -> Iterator[Bodies]:
    """The group's bodies; no fault outlives its test."""
    yield Bodies(caller, "faults")
    service.script_faults(caller.handle)


def test_a_status_before_the_effect(caller: ArmCaller, bodies: Bodies) -> None:
    """The second matching PUT is throttled, with its headers, and creates nothing; the third works."""
    body = {"error": {"code": "OperationNotAllowed", "message": "Too many requests."}}
    fault = {
        "method": "PUT",
        "path": "/disks/",
        "first": 2,
        "status": 429,
        "body": body,
        "headers": {"Retry-After": "7"},
    }
    service.script_faults(caller.handle, fault)
    caller.done("PUT", bodies.path(_DISK, "one"), bodies.disk())
    throttled = caller.call("PUT", bodies.path(_DISK, "two"), bodies.disk())
    assert (throttled.status, throttled.code, throttled.headers["retry-after"]) == (429, "OperationNotAllowed", "7")
    assert caller.call("GET", bodies.path(_DISK, "two")).status == 404
    caller.done("PUT", bodies.path(_DISK, "two"), bodies.disk())


def test_a_status_after_the_effect(caller: ArmCaller, bodies: Bodies) -> None:
    """A 500 that lies: the disk was made all the same."""
    service.script_faults(caller.handle, {"method": "PUT", "path": "/disks/liar", "when": "after", "status": 500})
    assert caller.call("PUT", bodies.path(_DISK, "liar"), bodies.disk()).status == 500
    assert caller.call("GET", bodies.path(_DISK, "liar")).status == 200


@pytest.mark.parametrize(("when", "status"), [("before", 404), ("after", 200)])
def test_a_dropped_connection(caller: ArmCaller, bodies: Bodies, when: str, status: int) -> None:
    """The client gets no answer; whether the disk exists depends on when the connection went."""
    path = bodies.path(_DISK, f"dropped-{when}")
    service.script_faults(caller.handle, {"method": "PUT", "path": "/disks/dropped", "when": when, "drop": True})
    with pytest.raises(_NO_ANSWER):
        caller.call("PUT", path, bodies.disk())
    assert caller.call("GET", path).status == status


def test_a_slow_answer(caller: ArmCaller, bodies: Bodies) -> None:
    """A delay holds one call up and no other."""
    service.script_faults(caller.handle, {"method": "GET", "path": "/disks/slow", "delay_seconds": 0.3})
    began = time.monotonic()
    caller.call("GET", bodies.path(_DISK, "slow"))
    assert time.monotonic() - began >= 0.3


def test_a_failed_machine_stays(caller: ArmCaller, bodies: Bodies) -> None:
    """AllocationFailed arrives in the operation, with HTTP 200; the machine stays, Failed, its interface reserved."""
    caller.done("PUT", bodies.path(_NET, "net"), bodies.network())
    caller.done("PUT", bodies.path(_NIC, "nic"), bodies.interface())
    error = {"code": "AllocationFailed", "message": "Allocation failed."}
    service.script_faults(caller.handle, {"method": "PUT", "path": "/virtualMachines/", "operation_error": error})
    service.change_settings(caller.handle, nic_reservation_seconds=0.5)
    accepted = caller.call("PUT", bodies.path(_VM, "vm"), bodies.machine())
    ended = caller.wait(accepted)
    assert accepted.status == 201
    assert (ended.status, ended.body["status"], ended.code) == (200, "Failed", "AllocationFailed")
    shown = caller.call("GET", bodies.path(_VM, "vm"), expand="instanceView").body["properties"]
    assert shown["provisioningState"] == "Failed"
    assert shown["instanceView"]["statuses"][0]["code"] == "ProvisioningState/failed/AllocationFailed"
    caller.done("DELETE", bodies.path(_VM, "vm"))
    assert caller.call("DELETE", bodies.path(_NIC, "nic")).code == "NicReservedForAnotherVm"
    deadline = time.monotonic() + 10
    while caller.call("DELETE", bodies.path(_NIC, "nic")).status == 400:
        assert time.monotonic() < deadline


def test_create_then_fail(caller: ArmCaller, bodies: Bodies) -> None:
    """A machine whose operation fails after its effect really runs, though its state is Failed."""
    caller.done("PUT", bodies.path(_NET, "net"), bodies.network())
    caller.done("PUT", bodies.path(_PIP, "ip"), bodies.address())
    caller.done("PUT", bodies.path(_NIC, "nic"), bodies.interface(address="ip"))
    error = {"code": "OSProvisioningTimedOut", "message": "It took too long."}
    fault = {"method": "PUT", "path": "/virtualMachines/", "operation_error": error, "operation_effect": True}
    service.script_faults(caller.handle, fault)
    ended = caller.wait(caller.call("PUT", bodies.path(_VM, "late"), bodies.machine()))
    assert ended.code == "OSProvisioningTimedOut"
    address = caller.call("GET", bodies.path(_PIP, "ip")).body["properties"]["ipAddress"]
    assert service.machine_port(caller.handle, address) > 0
    caller.done("DELETE", bodies.path(_VM, "late"))
    with pytest.raises(RehearsalError):
        service.machine_port(caller.handle, address)


def test_a_deletion_that_rolls_back(caller: ArmCaller, bodies: Bodies) -> None:
    """A failed group deletion answers with its error and leaves the group usable."""
    caller.done("PUT", "/resourceGroups/rolled", {"location": "eastus"})
    error = {"code": "ResourceGroupDeletionBlocked", "message": "Deletion failed."}
    service.script_faults(
        caller.handle, {"method": "DELETE", "path": "/resourceGroups/rolled", "operation_error": error}
    )
    ended = caller.wait(caller.call("DELETE", "/resourceGroups/rolled"))
    assert (ended.status, ended.code) == (409, "ResourceGroupDeletionBlocked")
    assert caller.call("GET", "/resourceGroups/rolled").body["properties"]["provisioningState"] == "Succeeded"
    caller.done("DELETE", "/resourceGroups/rolled")
    assert bodies.group_path == "/resourceGroups/faults"


def test_a_misspelt_fault_is_refused(caller: ArmCaller) -> None:
    """A fault that could never strike is an error, not a green test."""
    with pytest.raises(RehearsalError, match="refuses the faults"):
        service.script_faults(caller.handle, {"method": "GET", "path": "/", "stauts": 500})


def test_every_call_is_in_the_log(caller: ArmCaller, bodies: Bodies) -> None:
    """The log says method, path, status and caller of each call in order; a dropped one has status 0."""
    last = max(one.number for one in service.logged_requests(caller.handle))
    service.script_faults(caller.handle, {"method": "GET", "path": "/disks/logged", "first": 2, "drop": True})
    path = bodies.path(_DISK, "logged")
    assert caller.call("GET", path).status == 404
    with pytest.raises(_NO_ANSWER):
        caller.call("GET", path)
    logged = service.logged_requests(caller.handle, last)
    assert [(one.method, one.status) for one in logged] == [("GET", 404), ("GET", 0)]
    assert {one.path.endswith("/disks/logged") for one in logged} == {True}
    assert len({one.principal for one in logged} - {""}) == 1


def test_a_deletion_that_rolls_back_half_way(caller: ArmCaller, bodies: Bodies) -> None:
    """Some of the group is gone, what cannot be deleted is named, and the group is usable again."""
    caller.done("PUT", "/resourceGroups/half", {"location": "eastus"})
    half = Bodies(caller, "half")
    for name in ("stays", "goes"):
        caller.done("PUT", half.path(_DISK, name), half.disk())
    service.script_faults(caller.handle, {"method": "DELETE", "path": "/resourceGroups/half", "survivors": "/stays$"})
    ended = caller.wait(caller.call("DELETE", "/resourceGroups/half"))
    assert (ended.status, ended.code) == (409, "ResourceGroupDeletionBlocked")
    assert ended.body["error"]["details"][0]["target"].endswith("/disks/stays")
    assert caller.call("GET", half.path(_DISK, "goes")).status == 404
    assert caller.call("GET", half.path(_DISK, "stays")).status == 200
    caller.done("DELETE", "/resourceGroups/half")
    assert bodies.group_path == "/resourceGroups/faults"


def test_a_trouble_by_its_name(caller: ArmCaller, bodies: Bodies) -> None:
    """What Azure's Compute says when it is asked too often: unwrapped, under the code of quota, with a long wait."""
    service.script_faults(caller.handle, {"method": "PUT", "path": "/disks/", "trouble": "throttled-by-compute"})
    answer = caller.call("PUT", bodies.path(_DISK, "storm"), bodies.disk())
    assert (answer.status, answer.body["code"], answer.headers["retry-after"]) == (429, "OperationNotAllowed", "1200")


def test_things_take_the_time_that_they_are_given(caller: ArmCaller, bodies: Bodies) -> None:
    """An operation ends no sooner than its latency says, and its answers ask for patience as ARM does."""
    latencies = {"operations": {"settle-disk": 1.0}, "calls": {}, "round_trip": 0.05, "retry_after": 10}
    service.change_settings(caller.handle, latencies=latencies)
    try:
        began = time.monotonic()
        asked = caller.call("PUT", bodies.path(_DISK, "slow"), bodies.disk())
        assert (asked.status, asked.headers["retry-after"]) == (202, "10")
        assert "x-ms-retry-after-ms" not in asked.headers
        caller.done("PUT", bodies.path(_DISK, "slow"), bodies.disk())
        assert time.monotonic() - began >= 1.0
    finally:
        service.change_settings(caller.handle, latencies={})
    with pytest.raises(RehearsalError, match="unknown latencies"):
        service.change_settings(caller.handle, latencies={"speed": 1})
