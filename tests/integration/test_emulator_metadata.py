"""What a machine finds out about itself, and what its identity may do."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from templates.agent.imds import Imds, NoArmError, deallocate, delete_group
from tests.fakes.arm_caller import ArmCaller, Bodies, rehearsal_cloud
from tests.fakes.emulated import metadata_address

if TYPE_CHECKING:
    from collections.abc import Iterator

_NET, _NIC = "Microsoft.Network/virtualNetworks", "Microsoft.Network/networkInterfaces"
_VM, _ROLE = "Microsoft.Compute/virtualMachines", "Microsoft.Authorization/roleAssignments"
_CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
_TOKEN = "metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F"


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArmCaller]:
    """An emulator with one machine that has an identity."""
    with rehearsal_cloud(tmp_path_factory.mktemp("metadata")) as caller:
        bodies = Bodies(caller, "inside")
        caller.done("PUT", bodies.group_path, {"location": "eastus"})
        caller.done("PUT", bodies.path(_NET, "net"), bodies.network())
        caller.done("PUT", bodies.path(_NIC, "nic"), bodies.interface())
        caller.done("PUT", bodies.path(_VM, "vm"), {**bodies.machine(), "identity": {"type": "SystemAssigned"}})
        yield caller


@pytest.fixture
def base(caller: ArmCaller) -> str:
    """The metadata address as the machine was told it."""
    return metadata_address(caller.handle.state_folder)


def _get(url: str, headers: dict[str, str]) -> tuple[int, Any]:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


def test_a_machine_learns_who_it_is(base: str) -> None:
    """Name, id, size and region; the Metadata header is required, as on Azure."""
    status, compute = _get(f"{base}/metadata/instance/compute?api-version=2021-02-01", {"Metadata": "true"})
    assert (status, compute["name"], compute["location"]) == (200, "vm", "eastus")
    assert _get(f"{base}/metadata/instance?api-version=2021-02-01", {})[0] == 400
    assert _get(f"{base[:-3]}xyz/metadata/instance", {"Metadata": "true"})[0] == 404


def test_identity_may_do_nothing_until_it_is_assigned(caller: ArmCaller, base: str) -> None:
    """Its token is good, but acting on its own group needs a role there, and gives none elsewhere."""
    bodies = Bodies(caller, "inside")
    _, token = _get(f"{base}/{_TOKEN}", {"Metadata": "true"})
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    target = f"{bodies.id(_VM, 'vm')}/restart?api-version=2026-04-01"
    refused = caller.raw("POST", target, None, headers)
    assert (refused.status, refused.code) == (403, "AuthorizationFailed")
    assert "Microsoft.Compute/virtualMachines/restart/action" in refused.body["error"]["message"]
    _make_contributor(caller, bodies)
    accepted = caller.raw("POST", target, None, headers)
    assert accepted.status == 202
    caller.wait(accepted)
    elsewhere = f"{caller.root}/resourceGroups/elsewhere?api-version=2025-04-01"
    assert caller.raw("GET", elsewhere, None, headers).status == 403


def test_the_agent_deallocates_its_own_machine(caller: ArmCaller, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent's own code, told where metadata service and Resource Manager are, ends the compute bill."""
    bodies = Bodies(caller, "inside")
    _make_contributor(caller, bodies)
    monkeypatch.setenv("LLAMALIFT_ARM", caller.handle.base_url)
    monkeypatch.setenv("LLAMALIFT_ARM_CA", str(caller.handle.ca_file))
    assert deallocate(Imds(base)) == bodies.id(_VM, "vm")
    deadline = time.monotonic() + 30
    while _power(caller, bodies) != "PowerState/deallocated":
        assert time.monotonic() < deadline


def test_the_agent_deletes_its_own_group_and_no_other(
    caller: ArmCaller, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only one that carries the run's tag; with it everything goes, the machine that asked included."""
    bodies = Bodies(caller, "inside")
    _make_contributor(caller, bodies)
    monkeypatch.setenv("LLAMALIFT_ARM", caller.handle.base_url)
    monkeypatch.setenv("LLAMALIFT_ARM_CA", str(caller.handle.ca_file))
    with pytest.raises(NoArmError, match="not tagged"):
        delete_group(Imds(base), "demo-abc234")
    caller.done("PUT", bodies.group_path, {"location": "eastus", "tags": {"llamalift-run": "demo-abc234"}})
    delete_group(Imds(base), "demo-abc234")
    deadline = time.monotonic() + 30
    while caller.call("GET", bodies.group_path).status != 404:
        assert time.monotonic() < deadline


def _power(caller: ArmCaller, bodies: Bodies) -> str:
    return str(caller.call("GET", f"{bodies.path(_VM, 'vm')}/instanceView").body["statuses"][1]["code"])


def _make_contributor(caller: ArmCaller, bodies: Bodies) -> None:
    principal = caller.call("GET", bodies.path(_VM, "vm")).body["identity"]["principalId"]
    role = f"{caller.root}/providers/Microsoft.Authorization/roleDefinitions/{_CONTRIBUTOR}"
    assignment = {"properties": {"roleDefinitionId": role, "principalId": principal}}
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, principal))
    assert caller.call("PUT", bodies.path(_ROLE, name), assignment).status == 201
