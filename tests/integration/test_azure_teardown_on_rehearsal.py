"""Nothing is left, nothing of others is touched, and the cloud itself says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from provisioning.errors import CapacityError, LeftoversError, RequestRefusedError
from provisioning.rehearsal.service import call, script_faults
from provisioning.types import ResourceKind
from tests.fakes.ledgers import MemoryLedger
from tests.fakes.rehearsed import MACHINES, RUN_ID, names_of, silent

if TYPE_CHECKING:
    from provisioning.rehearsal.cloud import RehearsalCloud
    from provisioning.rehearsal.service import EmulatorHandle
    from provisioning.types import MachineRequest


def test_foreign_group_is_left_alone(cloud: RehearsalCloud, request_: MachineRequest) -> None:
    """A group of our name without our tag is neither used nor deleted."""
    names = names_of(cloud)
    groups = cloud._open().resources.resource_groups
    groups.create_or_update(names.group, {"location": "eastus", "tags": {"owner": "someone"}})
    try:
        with pytest.raises(RequestRefusedError, match=names.group):
            cloud.provision(request_, MemoryLedger(), silent)
        with pytest.raises(RequestRefusedError, match=names.group):
            cloud.destroy(RUN_ID, [], MemoryLedger(), silent)
        assert groups.check_existence(names.group)
        assert cloud.remaining(RUN_ID) == []
    finally:
        groups.begin_delete(names.group).result()


def test_blocked_group_deletion_is_tried_again(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest
) -> None:
    """A deletion that Azure rolls back is repeated until everything is gone."""
    cloud.provision(request_, MemoryLedger(), silent)
    error = {"code": "ResourceGroupDeletionBlocked", "message": "Deletion of resource group failed."}
    script_faults(emulator, {"method": "DELETE", "path": "resourceGroups/[^/]+$", "operation_error": error})
    proofs = cloud.destroy(RUN_ID, [], MemoryLedger(), silent)
    assert ResourceKind.VIRTUAL_MACHINE in {proof.ref.kind for proof in proofs}


def test_reserved_interface_is_waited_out(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest
) -> None:
    """A failed machine's interface, which Azure holds back for a while, delays a deletion and does not end it."""
    assert call(emulator, "PATCH", "settings", {"nic_reservation_seconds": 2.0})[0] == 200
    error = {"code": "AllocationFailed", "message": "Allocation failed."}
    script_faults(emulator, {"method": "PUT", "path": MACHINES, "operation_error": error})
    try:
        with pytest.raises(CapacityError):
            cloud.provision(request_, MemoryLedger(), silent)
        proofs = cloud.destroy(RUN_ID, [], MemoryLedger(), silent)
    finally:
        call(emulator, "PATCH", "settings", {"nic_reservation_seconds": 0.0})
    assert ResourceKind.NETWORK_INTERFACE in {proof.ref.kind for proof in proofs}


def test_resource_outside_the_group_is_reported(cloud: RehearsalCloud) -> None:
    """Something that carries the run's tag elsewhere is named as left over, and not deleted on suspicion."""
    groups, disks = cloud._open().resources.resource_groups, cloud._open().compute.disks
    groups.create_or_update("elsewhere", {"location": "eastus"})
    try:
        disk: Any = {
            "location": "eastus",
            "tags": {"llamalift-run": RUN_ID},
            "sku": {"name": "Premium_LRS"},
            "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4},
        }
        disks.begin_create_or_update("elsewhere", "stray", disk).result()
        assert [ref.name for ref in cloud.remaining(RUN_ID)] == ["stray"]
        with pytest.raises(LeftoversError, match="stray") as caught:
            cloud.destroy(RUN_ID, [], MemoryLedger(), silent)
        assert [ref.kind for ref in caught.value.remaining] == [ResourceKind.DISK]
    finally:
        groups.begin_delete("elsewhere").result()
