"""When a group's deletion is refused, rolled back or too slow, each resource is deleted alone and proven gone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from provisioning.azure.destroy import Destruction, Patience
from provisioning.errors import CapacityError, LeftoversError
from provisioning.rehearsal.service import change_settings, script_faults
from provisioning.types import ResourceKind
from tests.fakes.arm_caller import ArmCaller
from tests.fakes.ledgers import MemoryLedger
from tests.fakes.rehearsed import HTTP_LOG, MACHINES, RUN_ID, calls, names_of, silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.rehearsal.cloud import RehearsalCloud
    from provisioning.rehearsal.service import EmulatorHandle
    from provisioning.types import MachineRequest

GROUPS = "resourceGroups/[^/]+$"
BLOCKED = {"code": "ResourceGroupDeletionBlocked", "message": "Deletion of resource group failed."}
IMPATIENT = Patience(group_seconds=1.0, each_seconds=20.0, total_seconds=60.0)
# What a run has that was never moved.
_ABSENT = {
    ResourceKind.SHUTDOWN_SCHEDULE, ResourceKind.SNAPSHOT, ResourceKind.OTHER, ResourceKind.AVAILABILITY_SET
}  # fmt: skip
WHOLE = {kind for kind in ResourceKind if kind not in _ABSENT}


@pytest.fixture
def ledger(cloud: RehearsalCloud, request_: MachineRequest) -> MemoryLedger:
    """The ledger of a machine that runs."""
    ledger = MemoryLedger()
    cloud.provision(request_, ledger, silent)
    return ledger


@pytest.fixture
def caller(emulator: EmulatorHandle) -> Iterator[ArmCaller]:
    """Puts locks; the settings are the usual ones again afterwards."""
    yield ArmCaller(emulator)
    change_settings(emulator, nic_reservation_seconds=0.0, group_patience_seconds=600.0)


def _deletions(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The names of what was deleted, in order; the group as `group`."""
    paths = [call.removeprefix("DELETE ") for call in calls(caplog, "DELETE")]
    names = [path.rsplit("/", 1)[1].removeprefix(f"{RUN_ID}-") for path in paths]
    is_group = [re.search(GROUPS, path, re.IGNORECASE) is not None for path in paths]
    return ["group" if whole else name for whole, name in zip(is_group, names, strict=True)]


def _impatient(cloud: RehearsalCloud, ledger: MemoryLedger) -> Destruction:
    return Destruction(cloud._open(), RUN_ID, ledger, silent, IMPATIENT)


def test_rolled_back_deletion_goes_on_one_by_one(
    cloud: RehearsalCloud, emulator: EmulatorHandle, ledger: MemoryLedger, caplog: pytest.LogCaptureFixture
) -> None:
    """The machine first, then what it held, the group at last; its own disk and the role assignment are proven, too."""
    caplog.set_level("INFO", HTTP_LOG)
    script_faults(emulator, {"method": "DELETE", "path": GROUPS, "operation_error": BLOCKED})
    proofs = cloud.destroy(RUN_ID, list(ledger.refs.values()), ledger, silent)
    assert {proof.ref.kind for proof in proofs} == WHOLE
    assert {proof.ref.name for proof in proofs} >= {f"{RUN_ID}-os", f"{RUN_ID}-workspace"}
    order = _deletions(caplog)
    assert (order[0], order[1], order[-1]) == ("group", "vm", "group")
    assert order.index("workspace") < order.index("vnet") < order.index("nsg")
    assert len(ledger.gone_ids) == len(proofs)


def test_slow_deletion_goes_on_one_by_one(
    cloud: RehearsalCloud, emulator: EmulatorHandle, ledger: MemoryLedger, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever waits for the group also deletes what is in it, instead of paying for it meanwhile."""
    caplog.set_level("INFO", HTTP_LOG)
    script_faults(emulator, {"method": "DELETE", "path": GROUPS, "operation_delay_seconds": 4.0})
    proofs = _impatient(cloud, ledger).run([])
    assert {proof.ref.kind for proof in proofs} == WHOLE
    assert _deletions(caplog)[:2] == ["group", "vm"]


def test_blocked_by_a_reserved_interface(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest, caller: ArmCaller
) -> None:
    """Azure gives the group's deletion up; the interface is asked for again until it is free."""
    change_settings(caller.handle, nic_reservation_seconds=4.0, group_patience_seconds=0.0)
    error = {"code": "AllocationFailed", "message": "Allocation failed."}
    script_faults(emulator, {"method": "PUT", "path": MACHINES, "operation_error": error})
    ledger = MemoryLedger()
    with pytest.raises(CapacityError):
        cloud.provision(request_, ledger, silent)
    proofs = cloud.destroy(RUN_ID, list(ledger.refs.values()), ledger, silent)
    assert ResourceKind.NETWORK_INTERFACE in {proof.ref.kind for proof in proofs}


def test_one_that_does_not_go_holds_up_no_other(
    cloud: RehearsalCloud, emulator: EmulatorHandle, ledger: MemoryLedger
) -> None:
    """One deletion fails again and again; everything else is gone, and what is left is told with its reason."""
    error = {"code": "InternalServerError", "message": "An error occurred."}
    script_faults(
        emulator,
        {"method": "DELETE", "path": GROUPS, "operation_error": BLOCKED, "count": 0},
        {"method": "DELETE", "path": "networkSecurityGroups/", "operation_error": error, "count": 0},
    )
    patience = Patience(group_seconds=5.0, each_seconds=20.0, total_seconds=3.0)
    with pytest.raises(LeftoversError, match="deadline") as caught:
        Destruction(cloud._open(), RUN_ID, ledger, silent, patience).run([])
    left = {ref.kind for ref in caught.value.remaining}
    assert left == {ResourceKind.RESOURCE_GROUP, ResourceKind.NETWORK_SECURITY_GROUP}
    assert len(caught.value.reasons) == len(left)


def test_a_lock_is_told_at_once(cloud: RehearsalCloud, ledger: MemoryLedger, caller: ArmCaller) -> None:
    """What is locked stays and is named with its lock; the machine and all else that costs money is gone."""
    names = names_of(cloud)
    lock = f"{names.id_of(ResourceKind.DISK, names.workspace_disk)}/providers/Microsoft.Authorization/locks/keep"
    assert caller.call("PUT", lock, {"properties": {"level": "CanNotDelete"}}).status == 201
    try:
        with pytest.raises(LeftoversError, match="waiting does not help") as caught:
            cloud.destroy(RUN_ID, list(ledger.refs.values()), ledger, silent)
    finally:
        assert caller.call("DELETE", lock).status == 200
    left = caught.value
    assert {ref.kind for ref in left.remaining} == {ResourceKind.RESOURCE_GROUP, ResourceKind.DISK}
    assert all("locked" in reason for reason in left.reasons.values())
    assert "az lock" in left.hint
    assert {proof.ref.kind for proof in cloud.destroy(RUN_ID, [], ledger, silent)} >= {ResourceKind.DISK}


def test_missing_rights_are_told_at_once(cloud: RehearsalCloud, emulator: EmulatorHandle, ledger: MemoryLedger) -> None:
    """Whoever may delete nothing learns it in seconds, with everything that stays."""
    body: dict[str, Any] = {"error": {"code": "AuthorizationFailed", "message": "No."}}
    script_faults(emulator, {"method": "DELETE", "path": ".", "status": 403, "body": body, "count": 0})
    with pytest.raises(LeftoversError, match="waiting does not help") as caught:
        cloud.destroy(RUN_ID, [], ledger, silent)
    assert "Contributor" in caught.value.hint
    assert len(caught.value.reasons) == len(caught.value.remaining)


def test_killed_in_between_the_next_one_finishes(
    cloud: RehearsalCloud, emulator: EmulatorHandle, ledger: MemoryLedger
) -> None:
    """Wherever a client dies, the ledger knows everything that is not proven yet."""
    script_faults(emulator, {"method": "DELETE", "path": GROUPS, "operation_error": BLOCKED})
    for kind in (ResourceKind.DISK, ResourceKind.NETWORK_SECURITY_GROUP):
        dying = MemoryLedger(dies_at=("gone", kind))
        with pytest.raises(KeyboardInterrupt):
            cloud.destroy(RUN_ID, list(ledger.refs.values()), dying, silent)
        ledger.refs |= dying.refs
    proofs = cloud.destroy(RUN_ID, list(ledger.refs.values()), ledger, silent)
    assert {proof.ref.name for proof in proofs} >= {f"{RUN_ID}-os", f"{RUN_ID}-workspace", f"{RUN_ID}-vm"}
    assert cloud.remaining(RUN_ID) == []


def test_what_is_given_outside_the_group_goes_alone(cloud: RehearsalCloud) -> None:
    """A disk with the run's tag in someone's group is deleted when asked for; its neighbour and the group stay."""
    clients = cloud._open()
    groups, disks = clients.resources.resource_groups, clients.compute.disks
    groups.create_or_update("elsewhere", {"location": "eastus"})
    disk: dict[str, Any] = {"location": "eastus", "sku": {"name": "Premium_LRS"}}
    disk["properties"] = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}
    try:
        disks.begin_create_or_update("elsewhere", "theirs", disk).result()  # type: ignore[call-overload]  # wire JSON
        tagged = disk | {"tags": {"llamalift-run": RUN_ID}}
        disks.begin_create_or_update("elsewhere", "ours", tagged).result()  # type: ignore[call-overload]  # wire JSON
        ledger = MemoryLedger()
        proofs = cloud.destroy(RUN_ID, cloud.remaining(RUN_ID), ledger, silent)
        assert "ours" in {proof.ref.name for proof in proofs}
        assert [found.name for found in disks.list_by_resource_group("elsewhere")] == ["theirs"]
    finally:
        groups.begin_delete("elsewhere").result()
