"""The Azure client against the rehearsal cloud: real SDKs, real HTTPS, real local machines."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from provisioning.azure.naming import Names
from provisioning.errors import (
    CapacityError,
    LeftoversError,
    QuotaError,
    RequestRefusedError,
    SubscriptionError,
    ThrottledError,
)
from provisioning.rehearsal.cloud import RehearsalCloud
from provisioning.rehearsal.service import call, ensure_running, script_faults, stop_if_empty
from provisioning.types import ImageReference, MachineRequest, PowerState, ResourceKind
from tests.fakes.ledgers import MemoryLedger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.rehearsal.service import EmulatorHandle

HTTP_LOG = "azure.core.pipeline.policies.http_logging_policy"
IMAGE = ImageReference("microsoft-dsvm", "ubuntu-hpc", "2404")
MACHINES = "virtualMachines/[^/]+$"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorHandle]:
    """One emulator for the module; it must be empty in the end."""
    handle = ensure_running(tmp_path_factory.mktemp("state"))
    yield handle
    assert stop_if_empty(handle)


@pytest.fixture
def cloud(emulator: EmulatorHandle) -> Iterator[RehearsalCloud]:
    """A cloud in which no faults are scripted; whatever a test leaves of its run is deleted."""
    script_faults(emulator)
    # Not `open_rehearsal`: its `close` would end the emulator that the other tests use.
    cloud = RehearsalCloud(emulator)
    yield cloud
    script_faults(emulator)
    cloud.destroy("rehearsed-1", [], MemoryLedger(), silent)


@pytest.fixture
def request_(cloud: RehearsalCloud) -> MachineRequest:
    """A machine that the rehearsal cloud has."""
    return MachineRequest(
        run_id="rehearsed-1",
        region="eastus",
        zone=None,
        size="Standard_NC24ads_A100_v4",
        spot=False,
        max_price_usd_per_hour=None,
        image=cloud.resolve_image("eastus", IMAGE),
        os_disk_gib=128,
        workspace_gib=64,
        workspace_disk_type="Premium_LRS",
        admin_username="azureuser",
        ssh_public_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKd0cnlpbmd0cnlpbmd0cnlpbmd0cnlpbmd0cnlpbmd0 me",
        custom_data=b"#cloud-config\n{}\n",
        caller_address=cloud.caller_address(),
        tags={"llamalift-owner": "ada"},
    )


def silent(_message: str) -> None:
    """A progress that nobody reads."""


def calls(caplog: pytest.LogCaptureFixture, *methods: str) -> list[str]:
    """The HTTP calls of these methods that the SDKs logged, as `METHOD path`."""
    found = []
    for record in caplog.records:
        text = record.getMessage()
        method = re.search(r"Request method: '(\w+)'", text)
        url = re.search(r"Request URL: 'https://[^/]+([^?']+)", text)
        if method and url and method[1] in methods:
            found.append(f"{method[1]} {url[1]}")
    return found


def kinds(ledger: MemoryLedger, moment: str) -> list[ResourceKind]:
    """What the ledger says happened, in order."""
    return [kind for said, kind in ledger.lines if said == moment]


def raw(cloud: RehearsalCloud, names: Names) -> Any:  # noqa: ANN401  (an SDK model)
    """The machine as Azure's API describes it."""
    return cloud._open().compute.virtual_machines.get(names.group, names.machine)


def names_of(cloud: RehearsalCloud, request: MachineRequest) -> Names:
    """The names that the request's run has there."""
    return Names(cloud.account().subscription_id, request.run_id)


def test_journey(cloud: RehearsalCloud, request_: MachineRequest) -> None:
    """A machine is made, found, and deleted with a proof for each thing that existed."""
    ledger = MemoryLedger()
    machine = cloud.provision(request_, ledger, silent)
    assert machine.power is PowerState.RUNNING
    assert cloud.find_machine(request_.run_id) == machine
    assert set(kinds(ledger, "created")) == set(kinds(ledger, "intended"))
    left = {ref.resource_id.lower() for ref in cloud.remaining(request_.run_id)}

    proofs = cloud.destroy(request_.run_id, list(ledger.refs.values()), ledger, silent)

    proven = {proof.ref.resource_id.lower() for proof in proofs}
    assert proven == ledger.gone_ids >= left | {ref_id.lower() for ref_id in ledger.refs}
    assert cloud.remaining(request_.run_id) == []
    assert cloud.find_machine(request_.run_id) is None


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
    found = [ref.kind for ref in cloud.remaining(request_.run_id)]
    assert found.count(ResourceKind.VIRTUAL_MACHINE) == 1
    assert found.count(ResourceKind.DISK) == 2


def test_callers_new_address_renews_the_rule(
    cloud: RehearsalCloud, request_: MachineRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """Another address is let in by one write to the security group and no other."""
    cloud.provision(request_, MemoryLedger(), silent)
    caplog.set_level(logging.INFO, HTTP_LOG)
    cloud.provision(replace(request_, caller_address="127.0.0.9/32"), MemoryLedger(), silent)
    names = names_of(cloud, request_)
    assert [one.rsplit("/", 1)[-1] for one in calls(caplog, "PUT", "DELETE")] == [names.security_group]
    group = cloud._open().network.network_security_groups.get(names.group, names.security_group)
    assert [rule.source_address_prefix for rule in group.security_rules or []] == ["127.0.0.9/32"]


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
    names = names_of(cloud, request_)
    found = raw(cloud, names)
    assert (found["properties"]["priority"], found["properties"]["evictionPolicy"]) == ("Spot", "Deallocate")
    assert found["properties"]["billingProfile"]["maxPrice"] == 2.0
    clients = cloud._open()
    assert clients.compute.disks.get(names.group, names.workspace_disk).zones == ["2"]
    assert clients.network.public_ip_addresses.get(names.group, names.public_ip).zones == ["2"]


def test_deallocated_machine_is_started_again(cloud: RehearsalCloud, request_: MachineRequest) -> None:
    """After an eviction the same machine comes back, at the same address."""
    before = cloud.provision(request_, MemoryLedger(), silent)
    cloud.deallocate(request_.run_id, silent)
    evicted = cloud.find_machine(request_.run_id)
    assert evicted is not None
    assert evicted.power is PowerState.DEALLOCATED
    cloud.deallocate(request_.run_id, silent)
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
    names = names_of(cloud, request_)
    workspace = disks.get(names.group, names.workspace_disk)["properties"]["uniqueId"]

    ledger = MemoryLedger()
    machine = cloud.provision(request_, ledger, silent)

    assert machine.power is PowerState.RUNNING
    assert ledger.lines.index(("gone", ResourceKind.VIRTUAL_MACHINE)) < ledger.lines.index(
        ("intended", ResourceKind.VIRTUAL_MACHINE)
    )
    assert disks.get(names.group, names.workspace_disk)["properties"]["uniqueId"] == workspace


def test_quota_and_throttling_are_told_apart(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest
) -> None:
    """The same code means a limit at 409 and haste at 429; a wait of 20 minutes is not sat out."""
    message = (
        "Operation could not be completed as it results in exceeding approved LowPriorityCores quota. Additional "
        "details - Deployment Model: Resource Manager, Location: eastus, Current Limit: 3, Current Usage: 0, "
        "Additional Required: 6, (Minimum) New Limit Required: 6."
    )
    quota = {"error": {"code": "OperationNotAllowed", "message": message}}
    script_faults(emulator, {"method": "PUT", "path": MACHINES, "status": 409, "body": quota})
    with pytest.raises(QuotaError, match="6 more needed, 0 of 3 in use"):
        cloud.provision(request_, MemoryLedger(), silent)
    haste: dict[str, Any] = {"code": "OperationNotAllowed", "message": "too many requests"}
    haste["details"] = [{"code": "TooManyRequests", "target": "PutVM", "message": "{}"}]
    fault = {"method": "PUT", "path": MACHINES, "status": 429, "body": haste, "headers": {"Retry-After": "1200"}}
    script_faults(emulator, fault)
    with pytest.raises(ThrottledError, match="1200 s"):
        cloud.provision(request_, MemoryLedger(), silent)


def test_passing_troubles_are_outlasted(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest
) -> None:
    """A busy network resource, a 503 and a dropped connection do not end a provisioning."""
    busy = {"error": {"code": "AnotherOperationInProgress", "message": "busy", "details": []}}
    script_faults(
        emulator,
        {"method": "PUT", "path": "networkSecurityGroups/[^/]+$", "status": 429, "body": busy, "count": 2},
        {"method": "PUT", "path": "publicIPAddresses/[^/]+$", "status": 503},
        {"method": "PUT", "path": "virtualNetworks/[^/]+$", "drop": True, "when": "after"},
        {"method": "PUT", "path": "networkInterfaces/[^/]+$", "status": 409, "body": busy, "count": 2},
    )
    assert cloud.provision(request_, MemoryLedger(), silent).power is PowerState.RUNNING


def test_unregistered_provider_is_registered(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """A new subscription that has never used Microsoft.Compute is made ready on the way."""
    missing = {"error": {"code": "MissingSubscriptionRegistration", "message": "not registered"}}
    script_faults(emulator, {"method": "PUT", "path": "Microsoft.Compute/disks/", "status": 409, "body": missing})
    caplog.set_level(logging.INFO, HTTP_LOG)
    assert cloud.provision(request_, MemoryLedger(), silent).power is PowerState.RUNNING
    registered = [one for one in calls(caplog, "POST") if one.endswith("/providers/Microsoft.Compute/register")]
    assert len(registered) == 1


def test_extras_that_are_not_allowed_do_not_end_the_run(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest
) -> None:
    """Without the right to assign roles the run goes on and says what it goes on without."""
    forbidden = {"error": {"code": "AuthorizationFailed", "message": "no"}}
    script_faults(emulator, {"method": "PUT", "path": "roleAssignments", "status": 403, "body": forbidden})
    said: list[str] = []
    ledger = MemoryLedger()
    assert cloud.provision(request_, ledger, said.append).power is PowerState.RUNNING
    assert any("role assignment" in line and "going on without" in line for line in said)
    assert ResourceKind.ROLE_ASSIGNMENT not in kinds(ledger, "created")


def test_foreign_group_is_left_alone(cloud: RehearsalCloud, request_: MachineRequest) -> None:
    """A group of our name without our tag is neither used nor deleted."""
    names = names_of(cloud, request_)
    groups = cloud._open().resources.resource_groups
    groups.create_or_update(names.group, {"location": "eastus", "tags": {"owner": "someone"}})
    try:
        with pytest.raises(RequestRefusedError, match=names.group):
            cloud.provision(request_, MemoryLedger(), silent)
        with pytest.raises(RequestRefusedError, match=names.group):
            cloud.destroy(request_.run_id, [], MemoryLedger(), silent)
        assert groups.check_existence(names.group)
        assert cloud.remaining(request_.run_id) == []
    finally:
        groups.begin_delete(names.group).result()


def test_blocked_group_deletion_is_tried_again(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest
) -> None:
    """A deletion that Azure rolls back is repeated until everything is gone."""
    cloud.provision(request_, MemoryLedger(), silent)
    error = {"code": "ResourceGroupDeletionBlocked", "message": "Deletion of resource group failed."}
    script_faults(emulator, {"method": "DELETE", "path": "resourceGroups/[^/]+$", "operation_error": error})
    proofs = cloud.destroy(request_.run_id, [], MemoryLedger(), silent)
    assert ResourceKind.VIRTUAL_MACHINE in {proof.ref.kind for proof in proofs}


def test_resource_outside_the_group_is_reported(cloud: RehearsalCloud, request_: MachineRequest) -> None:
    """Something that carries the run's tag elsewhere is named as left over, and not deleted on suspicion."""
    groups, disks = cloud._open().resources.resource_groups, cloud._open().compute.disks
    groups.create_or_update("elsewhere", {"location": "eastus"})
    try:
        disk: Any = {
            "location": "eastus",
            "tags": {"llamalift-run": request_.run_id},
            "sku": {"name": "Premium_LRS"},
            "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4},
        }
        disks.begin_create_or_update("elsewhere", "stray", disk).result()
        assert [ref.name for ref in cloud.remaining(request_.run_id)] == ["stray"]
        with pytest.raises(LeftoversError, match="stray") as caught:
            cloud.destroy(request_.run_id, [], MemoryLedger(), silent)
        assert [ref.kind for ref in caught.value.remaining] == [ResourceKind.DISK]
    finally:
        groups.begin_delete("elsewhere").result()


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
        proofs = cloud.destroy(request_.run_id, [], MemoryLedger(), silent)
    finally:
        call(emulator, "PATCH", "settings", {"nic_reservation_seconds": 0.0})
    assert ResourceKind.NETWORK_INTERFACE in {proof.ref.kind for proof in proofs}


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


def test_console_log_is_there_to_be_read(cloud: RehearsalCloud, request_: MachineRequest) -> None:
    """When SSH never comes up, the serial log says how far the machine came."""
    cloud.provision(request_, MemoryLedger(), silent)
    assert "cloud-init" in cloud.console_log(request_.run_id)


def test_image_is_resolved_to_its_newest_version(cloud: RehearsalCloud) -> None:
    """`latest` becomes a version that a run can be repeated with; an unknown image is refused."""
    assert cloud.resolve_image("eastus", IMAGE).version == "24.04.2026072901"
    with pytest.raises(RequestRefusedError):
        cloud.resolve_image("eastus", ImageReference("nobody", "nothing", "0"))


def test_unknown_subscription_is_said_so(emulator: EmulatorHandle) -> None:
    """A subscription that the account does not have is an account problem, with the way to see those that it has."""
    other = replace(emulator, subscription_id="00000000-0000-0000-0000-000000000000")
    with pytest.raises(SubscriptionError, match="00000000") as caught:
        RehearsalCloud(other).account()
    assert "az account list" in caught.value.hint


def test_only_subscription_is_found(emulator: EmulatorHandle, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account with one subscription need not name it."""
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID", raising=False)
    nameless = replace(emulator, subscription_id=None)  # type: ignore[arg-type]  # a handle never lacks one
    assert RehearsalCloud(nameless).account().subscription_id == emulator.subscription_id
