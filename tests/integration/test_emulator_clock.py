"""What the rehearsal cloud does by itself: auto-shutdowns at their minute, evictions with and without notice."""

from __future__ import annotations

import json
import urllib.request
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from provisioning.rehearsal import service
from tests.fakes.agent_run import wait_for
from tests.fakes.arm_caller import ArmCaller, Bodies, rehearsal_cloud
from tests.fakes.emulated import metadata_address

if TYPE_CHECKING:
    from collections.abc import Iterator

_NET, _NIC = "Microsoft.Network/virtualNetworks", "Microsoft.Network/networkInterfaces"
_VM, _SCHEDULE = "Microsoft.Compute/virtualMachines", "Microsoft.DevTestLab/schedules"
GROUP = "timely"
_EVENTS = "metadata/scheduledevents?api-version=2020-07-01"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArmCaller]:
    """An emulator whose clock is turned."""
    with rehearsal_cloud(tmp_path_factory.mktemp("clock")) as caller:
        yield caller


@pytest.fixture
def caller(cloud: ArmCaller) -> Iterator[ArmCaller]:
    """Signed in at the cloud's present time; what a test made is deleted."""
    yield ArmCaller(cloud.handle)
    signed_in = ArmCaller(cloud.handle)
    signed_in.done("DELETE", Bodies(signed_in, GROUP).group_path)


def a_machine(caller: ArmCaller, **properties: Any) -> Bodies:  # noqa: ANN401 - a machine's properties
    """A running machine called `vm`."""
    bodies = Bodies(caller, GROUP)
    caller.done("PUT", bodies.group_path, {"location": "eastus"})
    caller.done("PUT", bodies.path(_NET, "net"), bodies.network())
    caller.done("PUT", bodies.path(_NIC, "nic"), bodies.interface())
    machine = bodies.machine()
    machine["properties"] |= properties
    caller.done("PUT", bodies.path(_VM, "vm"), machine)
    return bodies


def statuses(caller: ArmCaller, bodies: Bodies) -> list[dict[str, str]]:
    """The instance view's statuses."""
    view = caller.call("GET", f"{bodies.path(_VM, 'vm')}/instanceView").body
    found: list[dict[str, str]] = view["statuses"]
    return found


def wait_for_power(caller: ArmCaller, bodies: Bodies, power: str) -> None:
    """Wait until the machine is in a power state."""
    wait_for(lambda: statuses(caller, bodies)[1]["code"] == f"PowerState/{power}", power)


def events(caller: ArmCaller) -> Any:  # noqa: ANN401 - JSON
    """What the machine is told of its future."""
    return inside(caller, None)


def inside(caller: ArmCaller, body: dict[str, Any] | None) -> Any:  # noqa: ANN401 - JSON
    """A call to the events from inside the machine."""
    url = f"{metadata_address(caller.handle.state_folder)}/{_EVENTS}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Metadata": "true"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
        return json.loads(answer.read() or b"null")


def test_the_auto_shutdown_deallocates_at_its_minute(caller: ArmCaller) -> None:
    """Not before; then the local machine stops, and the instance view says since when. A token of yesterday is none."""
    bodies = a_machine(caller)
    # Other tests have turned the clock before.
    now = datetime.fromisoformat(statuses(caller, bodies)[0]["time"])
    at = now + timedelta(hours=2)
    schedule = {
        "location": "eastus",
        "properties": {
            "status": "Enabled",
            "taskType": "ComputeVmShutdownTask",
            "dailyRecurrence": {"time": f"{at:%H%M}"},
            "timeZoneId": "UTC",
            "targetResourceId": bodies.id(_VM, "vm"),
        },
    }
    caller.done("POST", "/providers/Microsoft.DevTestLab/register")
    target = bodies.path(_SCHEDULE, "shutdown-computevm-vm")
    wait_for(lambda: caller.call("PUT", target, schedule).status == 201, "the provider")
    service.jump_clock(caller.handle, 1.5 * 3600)
    assert caller.call("GET", bodies.group_path).code == "ExpiredAuthenticationToken"
    signed_in = ArmCaller(caller.handle)
    assert statuses(signed_in, bodies)[1]["code"] == "PowerState/running"

    service.jump_clock(caller.handle, 0.5 * 3600)
    signed_in = ArmCaller(caller.handle)
    wait_for_power(signed_in, bodies, "deallocated")
    assert service.call(caller.handle, "GET", "machines/127.0.0.1")[1]["ports"] == []
    since = datetime.fromisoformat(statuses(signed_in, bodies)[0]["time"])
    assert timedelta(0) <= since - at.replace(second=0, microsecond=0) < timedelta(minutes=5)


def test_a_simulated_eviction_is_announced_and_comes_at_its_time(caller: ArmCaller) -> None:
    """204; the machine reads a Preempt event half a minute ahead; then it is deallocated, and the event is over."""
    bodies = a_machine(caller, priority="Spot", evictionPolicy="Deallocate", billingProfile={"maxPrice": -1})
    before = events(caller)
    assert before["Events"] == []
    assert caller.call("POST", f"{bodies.path(_VM, 'vm')}/simulateEviction").status == 204
    told = events(caller)
    (event,) = told["Events"]
    assert told["DocumentIncarnation"] > before["DocumentIncarnation"]
    assert (event["EventType"], event["EventStatus"], event["Resources"]) == ("Preempt", "Scheduled", ["vm"])
    assert statuses(caller, bodies)[1]["code"] == "PowerState/running"
    service.jump_clock(caller.handle, 31)
    wait_for_power(caller, bodies, "deallocated")
    assert events(caller)["Events"] == []


def test_an_acknowledged_eviction_comes_at_once(caller: ArmCaller) -> None:
    """The machine that has saved its work is not waited for; another event's id hastens nothing."""
    bodies = a_machine(caller, priority="Spot", evictionPolicy="Deallocate", billingProfile={"maxPrice": -1})
    service.evict(caller.handle, "vm", notice_seconds=3600)
    (event,) = events(caller)["Events"]
    inside(caller, {"StartRequests": [{"EventId": "another"}]})
    assert events(caller)["Events"] == [event]
    inside(caller, {"StartRequests": [{"EventId": event["EventId"]}]})
    wait_for_power(caller, bodies, "deallocated")


def test_an_eviction_without_notice_obeys_the_policy(caller: ArmCaller) -> None:
    """With `Delete` the machine is gone, and nobody was told."""
    bodies = a_machine(caller, priority="Spot", evictionPolicy="Delete", billingProfile={"maxPrice": -1})
    service.evict(caller.handle, "vm")
    wait_for(lambda: caller.call("GET", bodies.path(_VM, "vm")).status == 404, "the machine to go")


def test_only_a_spot_machine_can_be_evicted_over_arm(caller: ArmCaller) -> None:
    """409 for one that was paid for in full."""
    bodies = a_machine(caller)
    refused = caller.call("POST", f"{bodies.path(_VM, 'vm')}/simulateEviction")
    assert (refused.status, refused.code) == (409, "OperationNotAllowed")
