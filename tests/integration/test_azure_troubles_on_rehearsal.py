"""What Azure refuses, delays or breaks, and what the client makes of it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from provisioning.errors import QuotaError, RequestRefusedError, SubscriptionError, ThrottledError
from provisioning.rehearsal.cloud import RehearsalCloud
from provisioning.rehearsal.service import script_faults
from provisioning.types import ImageReference, PowerState, ResourceKind
from tests.fakes.ledgers import MemoryLedger
from tests.fakes.rehearsed import HTTP_LOG, IMAGE, MACHINES, calls, kinds, silent

if TYPE_CHECKING:
    from provisioning.rehearsal.service import EmulatorHandle
    from provisioning.types import MachineRequest


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
