"""A run with several machines against the rehearsal cloud: one group, one network, one placement group."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import HttpResponseError

from provisioning.azure.naming import API_VERSIONS
from provisioning.errors import CapacityError, RequestRefusedError
from provisioning.rehearsal.service import script_faults
from provisioning.types import Placement, PowerState, ResourceKind
from tests.fakes.ledgers import MemoryLedger
from tests.fakes.rehearsed import RUN_ID, found, kinds, names_of, silent

if TYPE_CHECKING:
    from provisioning.rehearsal.cloud import RehearsalCloud
    from provisioning.rehearsal.service import EmulatorHandle
    from provisioning.types import MachineRequest

_EACH = (ResourceKind.VIRTUAL_MACHINE, ResourceKind.NETWORK_INTERFACE, ResourceKind.PUBLIC_IP, ResourceKind.DISK)
_SHARED = (ResourceKind.RESOURCE_GROUP, ResourceKind.VIRTUAL_NETWORK, ResourceKind.AVAILABILITY_SET)


@pytest.fixture
def pair(request_: MachineRequest) -> MachineRequest:
    """Two machines."""
    return replace(request_, others_custom_data=(b"#cloud-config\n{}\n",))


def test_two_machines_and_one_teardown(cloud: RehearsalCloud, pair: MachineRequest) -> None:
    """Each has its own disk and address and all share the rest; asked again nothing is made; all of it goes."""
    ledger = MemoryLedger()
    planned = [one.name for one in cloud.planned(pair)]
    first = cloud.provision(pair, ledger, silent)
    assert set(planned) <= {ref.name for ref in ledger.refs.values()}
    (second,) = first.others
    made = kinds(ledger, "intended")
    assert [made.count(kind) for kind in _EACH] == [2] * len(_EACH)
    assert [made.count(kind) for kind in _SHARED] == [1] * len(_SHARED)
    assert len({first.private_address, second.private_address, ""}) == 3
    inside = found(cloud, ResourceKind.AVAILABILITY_SET, names_of(cloud).availability_set)
    assert len(inside["properties"]["virtualMachines"]) == 2
    seen = cloud.find_machine(RUN_ID, node=1)
    assert seen is not None
    assert (seen.address, seen.ssh_port) == (second.address, second.ssh_port)

    cloud.deallocate(RUN_ID, silent, nodes=2)
    powers = [cloud.power(RUN_ID, node=node) for node in (0, 1)]
    assert [one and one.power for one in powers] == [PowerState.DEALLOCATED] * 2
    again = cloud.provision(pair, ledger, silent)
    assert again.others[0].power is PowerState.RUNNING
    assert kinds(ledger, "intended") == made

    proofs = cloud.destroy(RUN_ID, list(ledger.refs.values()), ledger, silent)
    gone = [proof.ref.kind for proof in proofs]
    # Each machine's own disk, which Azure makes with it, is proven gone, too.
    assert gone.count(ResourceKind.DISK) == 4
    assert cloud.remaining(RUN_ID) == []


def test_one_without_hardware_gives_all_of_them_up(
    emulator: EmulatorHandle, cloud: RehearsalCloud, pair: MachineRequest
) -> None:
    """No capacity for the second is no capacity; making room for another region takes everything but the group."""
    fault = {"method": "PUT", "path": f"virtualMachines/{RUN_ID}-n2-vm$", "status": 409}
    error = {"code": "AllocationFailed", "message": "Allocation failed. We do not have sufficient capacity."}
    script_faults(emulator, {**fault, "body": error})
    ledger = MemoryLedger()
    with pytest.raises(CapacityError):
        cloud.provision(pair, ledger, silent)
    script_faults(emulator)
    cloud.vacate(RUN_ID, Placement("westus3", None, pair.size, spot=False), ledger, silent, nodes=2)
    assert [ref.kind for ref in cloud.remaining(RUN_ID)] == [ResourceKind.RESOURCE_GROUP]


def test_a_placement_group_has_its_rules(cloud: RehearsalCloud, pair: MachineRequest) -> None:
    """As on Azure: no set in a zone, and none goes while a machine is in it."""
    cloud.provision(pair, MemoryLedger(), silent)
    by_id, names = cloud._open().resources.resources, names_of(cloud)
    kind = ResourceKind.AVAILABILITY_SET
    with pytest.raises(HttpResponseError, match="does not contain any VM"):
        by_id.begin_delete_by_id(names.id_of(kind, names.availability_set), api_version=API_VERSIONS[kind]).result()
    cloud.vacate(RUN_ID, Placement("westus3", None, pair.size, spot=False), MemoryLedger(), silent, nodes=2)
    with pytest.raises(RequestRefusedError, match="Availability Zone"):
        cloud.provision(replace(pair, zone="1"), MemoryLedger(), silent)
