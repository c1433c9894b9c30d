"""The Azure client against the rehearsal cloud: real SDKs, real HTTPS, real local machines."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from provisioning.errors import CapacityError, RequestRefusedError
from provisioning.rehearsal.service import script_faults
from provisioning.types import PowerState, ResourceKind
from tests.fakes.ledgers import MemoryLedger
from tests.fakes.rehearsed import HTTP_LOG, MACHINES, RUN_ID, calls, found, kinds, names_of, silent

if TYPE_CHECKING:
    from provisioning.rehearsal.cloud import RehearsalCloud
    from provisioning.rehearsal.service import EmulatorHandle
    from provisioning.types import MachineRequest


def test_journey(cloud: RehearsalCloud, request_: MachineRequest) -> None:
    """A machine is made, found, and deleted with a proof for each thing that existed."""
    ledger = MemoryLedger()
    machine = cloud.provision(request_, ledger, silent)
    assert machine.power is PowerState.RUNNING
    assert cloud.find_machine(RUN_ID) == machine
    assert set(kinds(ledger, "created")) == set(kinds(ledger, "intended"))
    left = {ref.resource_id.lower() for ref in cloud.remaining(RUN_ID)}

    proofs = cloud.destroy(RUN_ID, list(ledger.refs.values()), ledger, silent)

    proven = {proof.ref.resource_id.lower() for proof in proofs}
    assert proven == ledger.gone_ids >= left | {ref_id.lower() for ref_id in ledger.refs}
    assert cloud.remaining(RUN_ID) == []
    assert cloud.find_machine(RUN_ID) is None


def test_intent_is_written_before_each_call(cloud: RehearsalCloud, request_: MachineRequest) -> None:
    """For every kind the ledger says `intended` before `created`, and the machine comes after what it stands on."""
    ledger = MemoryLedger()
    cloud.provision(request_, ledger, silent)
    for kind in kinds(ledger, "created"):
        assert ledger.lines.index(("intended", kind)) < ledger.lines.index(("created", kind))
    machine = ledger.lines.index(("intended", ResourceKind.VIRTUAL_MACHINE))
    for kind in (ResourceKind.DISK, ResourceKind.NETWORK_INTERFACE):
        assert ledger.lines.index(("created", kind)) < machine


def test_fresh_run_reads_nothing_that_it_need_not(
    cloud: RehearsalCloud, request_: MachineRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """Before its first write a fresh run asks one question: is there such a group?"""
    cloud.account()
    caplog.set_level(logging.INFO, HTTP_LOG)
    cloud.provision(request_, MemoryLedger(), silent)
    every_call = calls(caplog, "GET", "HEAD", "PUT", "POST", "PATCH", "DELETE")
    first_write = next(index for index, one in enumerate(every_call) if one.startswith("PUT"))
    assert [one.split()[0] for one in every_call[:first_write]] == ["GET"]
    assert not [one for one in every_call if one.endswith("/resources")]


def test_second_provision_writes_nothing(
    cloud: RehearsalCloud, request_: MachineRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """What is there and fits is left alone, extras included."""
    wanted = replace(request_, shutdown_at=datetime.now(UTC) + timedelta(hours=3))
    first = cloud.provision(wanted, MemoryLedger(), silent)
    caplog.set_level(logging.INFO, HTTP_LOG)
    ledger = MemoryLedger()
    assert cloud.provision(wanted, ledger, silent) == first
    assert calls(caplog, "PUT", "POST", "PATCH", "DELETE") == []
    assert kinds(ledger, "intended") == []
    assert ResourceKind.SHUTDOWN_SCHEDULE in kinds(ledger, "created")
    assert ResourceKind.ROLE_ASSIGNMENT in kinds(ledger, "created")


def test_what_ends_the_machine_is_in_force_before_it_runs(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest
) -> None:
    """Its right to end itself and the auto-shutdown are made while it boots, and cost the launch no time."""
    script_faults(emulator, {"method": "PUT", "path": MACHINES, "operation_delay_seconds": 6.0})
    ledger = MemoryLedger()
    cloud.provision(replace(request_, shutdown_at=datetime.now(UTC) + timedelta(hours=3)), ledger, silent)
    machine = ledger.lines.index(("created", ResourceKind.VIRTUAL_MACHINE))
    for kind in (ResourceKind.ROLE_ASSIGNMENT, ResourceKind.SHUTDOWN_SCHEDULE):
        assert ledger.lines.index(("created", kind)) < machine


def test_what_is_refused_while_the_machine_boots_is_asked_for_again(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest
) -> None:
    """A schedule for a machine that is not quite there yet may be too early; one for a running machine is not."""
    early = {"error": {"code": "Conflict", "message": "The machine is being created."}}
    script_faults(emulator, {"method": "PUT", "path": "/schedules/", "status": 409, "body": early})
    ledger, said = MemoryLedger(), list[str]()
    cloud.provision(replace(request_, shutdown_at=datetime.now(UTC) + timedelta(hours=3)), ledger, said.append)
    assert ResourceKind.SHUTDOWN_SCHEDULE in kinds(ledger, "created")
    assert not [line for line in said if "going on without" in line]


@pytest.mark.parametrize("moment", ["intended", "created"])
@pytest.mark.parametrize(
    "kind",
    [
        ResourceKind.RESOURCE_GROUP,
        ResourceKind.NETWORK_SECURITY_GROUP,
        ResourceKind.DISK,
        ResourceKind.NETWORK_INTERFACE,
        ResourceKind.VIRTUAL_MACHINE,
    ],
)
def test_interrupted_provisioning_is_finished(
    cloud: RehearsalCloud, request_: MachineRequest, moment: str, kind: ResourceKind
) -> None:
    """Wherever a client ends, the next one makes the rest and doubles nothing."""
    with pytest.raises(KeyboardInterrupt):
        cloud.provision(request_, MemoryLedger(dies_at=(moment, kind)), silent)
    ledger = MemoryLedger()
    machine = cloud.provision(request_, ledger, silent)
    assert machine.power is PowerState.RUNNING
    assert kind in kinds(ledger, "created")
    found = [ref.kind for ref in cloud.remaining(RUN_ID)]
    assert found.count(ResourceKind.VIRTUAL_MACHINE) == 1
    assert found.count(ResourceKind.DISK) == 2


def test_killed_client_leaves_the_next_one_a_machine_to_wait_for(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """`kill -9` while Azure creates the machine: the next client waits for that one and asks for no other."""
    script_faults(emulator, {"method": "PUT", "path": MACHINES, "operation_delay_seconds": 4.0})
    argv = [sys.executable, "-m", "tests.fakes.provision_until_killed", str(emulator.state_folder.parent)]
    with subprocess.Popen(argv) as client:
        deadline = time.monotonic() + 60
        while cloud.find_machine(RUN_ID) is None:
            assert time.monotonic() < deadline, "the client asked for no machine"
            assert client.poll() is None, "the client ended before it could be killed"
        client.kill()
    caplog.set_level(logging.INFO, HTTP_LOG)
    assert cloud.provision(request_, MemoryLedger(), silent).power is PowerState.RUNNING
    assert [one for one in calls(caplog, "PUT") if "roleAssignments" not in one] == []


def test_failure_is_not_held_up_by_what_still_runs(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest
) -> None:
    """When one resource fails, or Ctrl-C is pressed, nobody waits for the slow ones at its side."""
    script_faults(emulator, {"method": "PUT", "path": "/disks/", "operation_delay_seconds": 8.0})
    ledger = MemoryLedger(dies_at=("created", ResourceKind.NETWORK_SECURITY_GROUP))
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        cloud.provision(request_, ledger, silent)
    assert time.monotonic() - started < 5.0
    script_faults(emulator)
    assert cloud.provision(request_, MemoryLedger(), silent).power is PowerState.RUNNING


def test_callers_new_address_renews_the_rule(
    cloud: RehearsalCloud, request_: MachineRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """Another address is let in by one write to the security group and no other."""
    cloud.provision(request_, MemoryLedger(), silent)
    caplog.set_level(logging.INFO, HTTP_LOG)
    cloud.provision(replace(request_, caller_address="127.0.0.9/32"), MemoryLedger(), silent)
    names = names_of(cloud)
    assert [one.rsplit("/", 1)[-1] for one in calls(caplog, "PUT", "DELETE")] == [names.security_group]
    group = found(cloud, ResourceKind.NETWORK_SECURITY_GROUP, names.security_group)
    rules = group["properties"]["securityRules"]
    assert [rule["properties"]["sourceAddressPrefix"] for rule in rules] == ["127.0.0.9/32"]


def test_another_zone_is_refused_not_mixed(cloud: RehearsalCloud, request_: MachineRequest) -> None:
    """What is bound to a zone is never silently left in another one than asked for."""
    cloud.provision(replace(request_, zone="1"), MemoryLedger(), silent)
    with pytest.raises(RequestRefusedError, match="zones"):
        cloud.provision(replace(request_, zone="2"), MemoryLedger(), silent)


def test_spot_in_a_zone(cloud: RehearsalCloud, request_: MachineRequest) -> None:
    """A spot machine in a zone has its disk and address in the same zone, and is deallocated when evicted."""
    machine = cloud.provision(
        replace(request_, spot=True, max_price_usd_per_hour=2.0, zone="2"), MemoryLedger(), silent
    )
    assert machine.zone == "2"
    names = names_of(cloud)
    properties = found(cloud, ResourceKind.VIRTUAL_MACHINE, names.machine)["properties"]
    assert (properties["priority"], properties["evictionPolicy"]) == ("Spot", "Deallocate")
    assert properties["billingProfile"]["maxPrice"] == 2.0
    assert found(cloud, ResourceKind.DISK, names.workspace_disk)["zones"] == ["2"]
    assert found(cloud, ResourceKind.PUBLIC_IP, names.public_ip)["zones"] == ["2"]


def test_deallocated_machine_is_started_again(cloud: RehearsalCloud, request_: MachineRequest) -> None:
    """After an eviction the same machine comes back, at the same address."""
    before = cloud.provision(request_, MemoryLedger(), silent)
    cloud.deallocate(RUN_ID, silent)
    evicted = cloud.find_machine(RUN_ID)
    assert evicted is not None
    assert evicted.power is PowerState.DEALLOCATED
    cloud.deallocate(RUN_ID, silent)
    assert cloud.provision(request_, MemoryLedger(), silent) == before


def test_deallocate_without_a_machine_is_no_error(cloud: RehearsalCloud) -> None:
    """Nothing to stop is fine."""
    cloud.deallocate("rehearsed-1", silent)


def test_failed_machine_is_replaced(cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest) -> None:
    """No capacity leaves a failed machine; the next attempt deletes it, keeps the workspace, and makes a new one."""
    error = {"code": "ZonalAllocationFailed", "message": "Allocation failed."}
    script_faults(emulator, {"method": "PUT", "path": MACHINES, "operation_error": error})
    with pytest.raises(CapacityError) as caught:
        cloud.provision(request_, MemoryLedger(), silent)
    assert caught.value.code == "ZonalAllocationFailed"
    disks = cloud._open().compute.disks
    names = names_of(cloud)
    workspace = disks.get(names.group, names.workspace_disk)["properties"]["uniqueId"]

    ledger = MemoryLedger()
    machine = cloud.provision(request_, ledger, silent)

    assert machine.power is PowerState.RUNNING
    assert ledger.lines.index(("gone", ResourceKind.VIRTUAL_MACHINE)) < ledger.lines.index(
        ("intended", ResourceKind.VIRTUAL_MACHINE)
    )
    assert disks.get(names.group, names.workspace_disk)["properties"]["uniqueId"] == workspace


def test_console_log_is_there_to_be_read(cloud: RehearsalCloud, request_: MachineRequest) -> None:
    """When SSH never comes up, the serial log says how far the machine came."""
    cloud.provision(request_, MemoryLedger(), silent)
    assert "cloud-init" in cloud.console_log(RUN_ID)
