"""What Azure returned is read rightly."""

from __future__ import annotations

from typing import Any

import pytest

from provisioning.azure.naming import Names, kind_of, namespace_of, ref_of
from provisioning.azure.observed import first_difference, is_beyond_repair, power_of
from provisioning.types import PowerState, ResourceKind

GROUP = "/subscriptions/s/resourceGroups/g"


def machine(state: str, *codes: str) -> dict[str, Any]:
    """A machine as Azure describes it."""
    return {
        "properties": {"provisioningState": state, "instanceView": {"statuses": [{"code": code} for code in codes]}}
    }


@pytest.mark.parametrize(
    ("found", "power"),
    [
        (machine("Succeeded", "ProvisioningState/succeeded", "PowerState/running"), PowerState.RUNNING),
        (machine("Succeeded", "ProvisioningState/succeeded", "PowerState/deallocated"), PowerState.DEALLOCATED),
        (machine("Succeeded", "PowerState/stopped"), PowerState.STOPPED),
        (machine("Creating"), PowerState.STARTING),
        (machine("Failed", "ProvisioningState/failed/AllocationFailed"), PowerState.FAILED),
    ],
)
def test_power_state(found: dict[str, Any], power: PowerState) -> None:
    """The instance view's power code decides; without one, the provisioning state."""
    assert power_of(found) is power


@pytest.mark.parametrize(
    ("found", "broken"),
    [
        (machine("Failed", "ProvisioningState/failed/AllocationFailed"), True),
        (machine("Failed", "ProvisioningState/failed/OSProvisioningTimedOut", "PowerState/running"), True),
        (machine("Failed", "ProvisioningState/failed/VMExtensionProvisioningError", "PowerState/running"), False),
        (machine("Succeeded", "PowerState/deallocated"), False),
        (machine("Creating"), False),
    ],
)
def test_only_a_machine_without_a_future_is_broken(found: dict[str, Any], broken: bool) -> None:  # noqa: FBT001
    """A running machine on which someone's extension failed is not thrown away."""
    assert is_beyond_repair(found) is broken


@pytest.mark.parametrize(
    ("wanted", "observed", "difference"),
    [
        ({"a": 1}, {"a": 1, "etag": "x"}, None),
        ({"id": "/Subscriptions/S"}, {"id": "/subscriptions/s"}, None),
        ({"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"c": 2}]}}, "a.b[0].c"),
        ({"a": [1]}, {"a": []}, "a"),
        ({"a": 1}, {}, "a"),
    ],
)
def test_difference_is_the_first_path(wanted: object, observed: object, difference: str | None) -> None:
    """What Azure adds is no difference; what it lacks or has otherwise is, by its path."""
    assert first_difference(wanted, observed) == difference


@pytest.mark.parametrize(
    ("resource_id", "kind", "namespace"),
    [
        (GROUP, ResourceKind.RESOURCE_GROUP, "Microsoft.Resources"),
        (f"{GROUP}/providers/microsoft.compute/virtualmachines/m", ResourceKind.VIRTUAL_MACHINE, "microsoft.compute"),
        (
            f"{GROUP}/providers/Microsoft.Compute/virtualMachines/m/extensions/e",
            ResourceKind.OTHER,
            "Microsoft.Compute",
        ),
        (
            f"{GROUP}/providers/Microsoft.Compute/disks/d/providers/Microsoft.Authorization/roleAssignments/r",
            ResourceKind.ROLE_ASSIGNMENT,
            "Microsoft.Authorization",
        ),
    ],
)
def test_kind_and_provider_of_an_id(resource_id: str, kind: ResourceKind, namespace: str) -> None:
    """Listings name resources by id alone; the id says what they are."""
    assert (kind_of(resource_id), namespace_of(resource_id)) == (kind, namespace)
    assert ref_of(resource_id).name == resource_id.rsplit("/", 1)[-1]


def test_names_depend_on_the_run_alone() -> None:
    """Another computer finds the same names, other runs never share one."""
    assert Names("s", "a-1") == Names("s", "a-1")
    assert Names("s", "a-1").role_assignment("P") == Names("S", "a-1").role_assignment("p")
    assert Names("s", "a-1").role_assignment("p") != Names("s", "a-1").role_assignment("q")
