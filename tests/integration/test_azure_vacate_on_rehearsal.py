"""Making room for a try elsewhere: what is bound to a place goes, what can serve the next place stays."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provisioning.errors import CapacityError, NotOfferedError
from provisioning.rehearsal.service import change_settings, script_faults
from provisioning.types import Placement, PowerState, ResourceKind
from tests.fakes.ledgers import MemoryLedger
from tests.fakes.rehearsed import HTTP_LOG, RUN_ID, calls, kinds, silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.rehearsal.cloud import RehearsalCloud
    from provisioning.rehearsal.service import EmulatorHandle
    from provisioning.types import MachineRequest

ZONE_BOUND = {
    ResourceKind.VIRTUAL_MACHINE,
    ResourceKind.DISK,
    ResourceKind.NETWORK_INTERFACE,
    ResourceKind.PUBLIC_IP,
}
IN_A_REGION = {ResourceKind.VIRTUAL_NETWORK, ResourceKind.NETWORK_SECURITY_GROUP}


@pytest.fixture(autouse=True)
def _room_again(emulator: EmulatorHandle) -> Iterator[None]:
    """Each test scripts its own capacity."""
    yield
    change_settings(emulator, capacity=[], nic_reservation_seconds=0)


def placed(request: MachineRequest) -> Placement:
    """Where a request wants its machine."""
    return Placement(request.region, request.zone, request.size, request.spot)


def left(cloud: RehearsalCloud) -> set[ResourceKind]:
    """What is there, by kind."""
    return {ref.kind for ref in cloud.remaining(RUN_ID)}


def test_a_failed_zone_leaves_only_what_the_region_shares(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest
) -> None:
    """The failed machine stays in state Failed until it is deleted; disk and address go with the zone, each proven."""
    change_settings(emulator, capacity=[{"zone": "1"}], nic_reservation_seconds=180)
    there, elsewhere = replace(request_, zone="1"), replace(request_, zone="2")
    with pytest.raises(CapacityError, match="ZonalAllocationFailed") as caught:
        cloud.provision(there, MemoryLedger(), silent)
    assert caught.value.code == "ZonalAllocationFailed"
    failed = cloud.find_machine(RUN_ID)
    assert failed is not None
    assert failed.power is not PowerState.RUNNING

    ledger = MemoryLedger()
    cloud.vacate(RUN_ID, placed(elsewhere), ledger, silent)
    assert left(cloud) == {ResourceKind.RESOURCE_GROUP, *IN_A_REGION}
    # Its identity's rights are asked for while it boots.
    assert set(kinds(ledger, "gone")) == {*ZONE_BOUND, ResourceKind.ROLE_ASSIGNMENT}
    assert set(kinds(ledger, "doomed")) >= ZONE_BOUND
    machine = cloud.provision(elsewhere, MemoryLedger(), silent)
    assert (machine.zone, machine.power) == ("2", PowerState.RUNNING)


def test_another_region_starts_from_the_group_alone(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest
) -> None:
    """A synchronous refusal leaves no machine; all that has a region goes, the group's own location does not matter."""
    change_settings(emulator, capacity=[{"region": "eastus", "error": "SkuNotAvailable"}])
    with pytest.raises(NotOfferedError):
        cloud.provision(request_, MemoryLedger(), silent)
    there = replace(request_, region="westus3")
    ledger = MemoryLedger()
    cloud.vacate(RUN_ID, placed(there), ledger, silent)
    assert left(cloud) == {ResourceKind.RESOURCE_GROUP}
    assert set(kinds(ledger, "gone")) == {*ZONE_BOUND, *IN_A_REGION} - {ResourceKind.VIRTUAL_MACHINE}
    assert cloud.provision(there, MemoryLedger(), silent).region == "westus3"


def test_what_can_serve_stays(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """Another size in the same zone needs no other disk or address; at the same place nothing is touched at all."""
    change_settings(emulator, capacity=[{"size": request_.size, "error": "SkuNotAvailable"}])
    with pytest.raises(NotOfferedError):
        cloud.provision(request_, MemoryLedger(), silent)
    other = replace(request_, size="Standard_NC48ads_A100_v4")
    caplog.set_level(logging.INFO, HTTP_LOG)
    cloud.vacate(RUN_ID, placed(other), MemoryLedger(), silent)
    assert calls(caplog, "DELETE") == []
    assert cloud.provision(other, MemoryLedger(), silent).power is PowerState.RUNNING
    cloud.vacate(RUN_ID, placed(other), MemoryLedger(), silent)
    assert calls(caplog, "DELETE") == []
    ledger = MemoryLedger()
    cloud.vacate(RUN_ID, None, ledger, silent)
    assert left(cloud) == {ResourceKind.RESOURCE_GROUP}


def test_a_reserved_interface_is_waited_for(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest
) -> None:
    """Azure may keep an interface for another machine for 180 s; that delays the way elsewhere and does not end it."""
    change_settings(emulator, capacity=[{"region": "eastus", "error": "SkuNotAvailable"}])
    with pytest.raises(NotOfferedError):
        cloud.provision(request_, MemoryLedger(), silent)
    reserved = {"error": {"code": "NicReservedForAnotherVm", "message": "reserved for 180 seconds", "details": []}}
    fault = {"method": "DELETE", "path": "networkInterfaces/[^/]+$", "status": 400, "body": reserved, "count": 2}
    script_faults(emulator, fault)
    cloud.vacate(RUN_ID, None, MemoryLedger(), silent)
    assert left(cloud) == {ResourceKind.RESOURCE_GROUP}


@pytest.mark.parametrize(
    ("moment", "kind"),
    [
        ("doomed", ResourceKind.VIRTUAL_MACHINE),
        ("gone", ResourceKind.VIRTUAL_MACHINE),
        ("doomed", ResourceKind.DISK),
        ("gone", ResourceKind.VIRTUAL_NETWORK),
    ],
)
def test_a_killed_vacating_is_finished_by_the_next(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest, kind: ResourceKind, moment: str
) -> None:
    """Wherever a client ends, the next call finds what is still there."""
    change_settings(emulator, capacity=[{"region": "eastus"}])
    with pytest.raises(CapacityError):
        cloud.provision(request_, MemoryLedger(), silent)
    with pytest.raises(KeyboardInterrupt):
        cloud.vacate(RUN_ID, None, MemoryLedger(dies_at=(moment, kind)), silent)
    cloud.vacate(RUN_ID, None, MemoryLedger(), silent)
    assert left(cloud) == {ResourceKind.RESOURCE_GROUP}
