"""Scripts that go to a machine through the control plane: as Azure tells it, and on both kinds of local machines."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provisioning.azure.naming import API_VERSIONS
from provisioning.errors import RequestRefusedError
from provisioning.rehearsal.machines import LocalMachineSpec, boot, run_script, stop
from provisioning.rehearsal.service import script_faults
from provisioning.types import PowerState, ResourceKind
from tests.fakes.arm_caller import ArmCaller
from tests.fakes.ledgers import MemoryLedger
from tests.fakes.local_machine_kit import make_kit
from tests.fakes.rehearsed import RUN_ID, names_of, silent

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.rehearsal.cloud import RehearsalCloud
    from provisioning.rehearsal.service import EmulatorHandle
    from provisioning.types import MachineRequest


def test_its_answers_have_azures_shape(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest
) -> None:
    """202 with two URLs to poll; in the end one status whose message holds the last 4,096 bytes of each stream."""
    cloud.provision(request_, MemoryLedger(), silent)
    arm, names = ArmCaller(emulator), names_of(cloud)
    path = f"{names.id_of(ResourceKind.VIRTUAL_MACHINE, names.machine)}/runCommand"
    script = ["i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done", "echo trouble >&2; exit 7"]

    accepted = arm.call("POST", path, {"commandId": "RunShellScript", "script": script})
    assert (accepted.status, accepted.body) == (202, "")
    done = arm.wait(accepted)

    assert done.body["status"] == "Succeeded"
    (status,) = done.body["properties"]["output"]["value"]
    assert {key: status[key] for key in ("code", "level", "displayStatus")} == {
        "code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded",
    }  # fmt: skip
    message = status["message"]
    assert message.startswith("Enable succeeded: \n[stdout]\n")
    assert message.endswith("line 999\n\n[stderr]\ntrouble\n")
    assert len(message.partition("[stdout]\n")[2].partition("\n[stderr]")[0]) == 4096
    monitored = arm.follow(accepted.headers["location"])
    assert monitored.body == done.body["properties"]["output"]
    assert arm.call("POST", path, {"commandId": "Nonsense"}).status == 404
    assert arm.call("POST", path, {"script": ["true"]}).code == "InvalidParameter"

    cloud.deallocate(RUN_ID, silent)
    refused = arm.call("POST", path, {"commandId": "RunShellScript", "script": ["true"]})
    assert (refused.status, refused.code) == (409, "OperationNotAllowed")


def test_the_client_reads_what_a_script_printed(cloud: RehearsalCloud, request_: MachineRequest) -> None:
    """Through the real SDK: the output comes back, the machine stays as it was, and may be started again."""
    cloud.provision(request_, MemoryLedger(), silent)
    assert cloud.run_script(RUN_ID, "echo it is $((40 + 2))\n", silent) == "it is 42\n"
    cloud.deallocate(RUN_ID, silent)
    cloud.start(RUN_ID, silent)
    machine = cloud.find_machine(RUN_ID)
    assert machine is not None
    assert machine.power is PowerState.RUNNING


def test_a_run_is_described_by_the_cloud_alone(cloud: RehearsalCloud, request_: MachineRequest) -> None:
    """Every resource, those that no listing shows included, and what was decided, from one account."""
    ledger = MemoryLedger()
    machine = cloud.provision(replace(request_, zone="2", spot=True), ledger, silent)
    found = cloud.describe(RUN_ID)
    assert found is not None
    assert {ref.resource_id.lower() for ref in found.refs} >= set(ledger.refs)
    assert found.machine == machine
    assert found.placement is not None
    assert (found.placement.zone, found.placement.spot, found.placement.size) == ("2", True, request_.size)
    assert (found.image, found.workspace_gib) == (str(request_.image), request_.workspace_gib)
    assert (found.caller_address, found.group.is_leaving) == (request_.caller_address, False)
    assert cloud.describe("other-aaaaaa") is None


def test_somebody_elses_group_is_not_described(cloud: RehearsalCloud) -> None:
    """A group of the run's name without the run's tag is refused, and no tag is written to it."""
    groups = cloud._open().resources.resource_groups
    groups.create_or_update("llamalift-other-bbbbbb", {"location": "eastus", "tags": {"llamalift-run": "else"}})
    try:
        with pytest.raises(RequestRefusedError):
            cloud.describe("other-bbbbbb")
        cloud.write_mark("other-bbbbbb", "llamalift-driver", "me")
        assert cloud.read_mark("other-bbbbbb", "llamalift-driver") is None
        assert groups.get("llamalift-other-bbbbbb")["tags"] == {"llamalift-run": "else"}
    finally:
        groups.begin_delete("llamalift-other-bbbbbb").wait()


def test_another_caller_is_let_in_instead(cloud: RehearsalCloud, request_: MachineRequest) -> None:
    """The rule moves, the rest of the group stays; who is among those let in changes nothing."""
    cloud.provision(request_, MemoryLedger(), silent)
    names = names_of(cloud)
    kind = ResourceKind.NETWORK_SECURITY_GROUP
    group_id = names.id_of(kind, names.security_group)
    assert cloud.admit(RUN_ID, "127.0.0.9/32", silent) == "127.0.0.9/32"
    after = cloud._open().resources.resources.get_by_id(group_id, api_version=API_VERSIONS[kind])
    (rule,) = after["properties"]["securityRules"]
    assert rule["properties"]["sourceAddressPrefix"] == "127.0.0.9/32"
    assert after["tags"]["llamalift-run"] == RUN_ID
    cloud.provision(replace(request_, caller_address="127.0.0.0/24"), MemoryLedger(), silent)
    assert cloud.admit(RUN_ID, "127.0.0.7/32", silent) == "127.0.0.0/24"


def test_a_mark_joins_the_other_tags(cloud: RehearsalCloud, request_: MachineRequest) -> None:
    """What two computers tell each other changes nothing else of the group."""
    cloud.provision(request_, MemoryLedger(), silent)
    assert cloud.read_mark(RUN_ID, "llamalift-driver") == ""
    cloud.write_mark(RUN_ID, "llamalift-driver", '{"host": "a"}')
    assert cloud.read_mark(RUN_ID, "llamalift-driver") == '{"host": "a"}'
    found = cloud.describe(RUN_ID)
    assert found is not None
    assert found.group.tags["llamalift-owner"] == "ada"


def test_a_mark_does_not_hold_up_a_group_that_goes(
    cloud: RehearsalCloud, emulator: EmulatorHandle, request_: MachineRequest
) -> None:
    """While Azure deletes the group, its tags cannot be changed: whoever finishes a teardown must not fail at that."""
    script_faults(emulator, {"method": "DELETE", "path": "resourceGroups/[^/]+$", "operation_delay_seconds": 3.0})
    groups, names = cloud._open().resources.resource_groups, names_of(cloud)
    groups.create_or_update(names.group, {"location": request_.region, "tags": {"llamalift-run": RUN_ID}})
    going = groups.begin_delete(names.group)
    found = cloud.describe(RUN_ID)
    assert found is not None
    assert found.group.is_leaving
    cloud.write_mark(RUN_ID, "llamalift-driver", "me")
    going.wait()
    cloud.write_mark(RUN_ID, "llamalift-driver", "me")
    assert cloud.read_mark(RUN_ID, "llamalift-driver") is None


@pytest.mark.parametrize("way", ["sandbox", "in-process"])
def test_both_kinds_of_machines_obey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """A script sees the machine's own files and its exit code comes back; several at once do not mix."""
    monkeypatch.setenv("LLAMALIFT_MACHINES", way)
    spec: LocalMachineSpec = make_kit(tmp_path / "kit", agent=b"print()").spec
    machine = boot(spec)
    try:
        done = run_script(machine, "cat $HOME/.ssh/authorized_keys; echo hidden >&2; exit 5")
        assert done.stdout.decode() == f"{spec.ssh_public_key}\n"
        assert (done.stderr, done.exit_code) == (b"hidden\n", 5)
        assert not list(machine.programs.glob("script-*"))
    finally:
        stop(machine)
