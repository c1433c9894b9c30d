"""The emulator against recorded Azure traffic: `arm_shapes.json` holds statuses, header names and key names.

Each row was distilled from a recording of the real service (`source` names it). A row lists what the answer must have;
the emulator may have more keys, as newer api-versions do, but never fewer.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from provisioning.rehearsal import service
from tests.fakes.arm_caller import Answer, ArmCaller, Bodies, rehearsal_cloud

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "arm_shapes.json").read_text())
_NET, _NSG = "Microsoft.Network/virtualNetworks", "Microsoft.Network/networkSecurityGroups"
_PIP, _NIC = "Microsoft.Network/publicIPAddresses", "Microsoft.Network/networkInterfaces"
_DISK, _VM = "Microsoft.Compute/disks", "Microsoft.Compute/virtualMachines"
_STALE = {"If-Match": '"invalid"'}
_CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
_OPERATION_SECONDS = 0.5


class _Journey:
    """Plays the recorded scenarios once and keeps every answer by the name of its step."""

    def __init__(self, caller: ArmCaller) -> None:
        self.answers: dict[str, Answer] = {}
        self._caller = caller
        self._bodies = Bodies(caller, "shapes")

    def play(self) -> dict[str, Answer]:
        self._groups()
        self._simple("network", _NET, "net", self._bodies.network())
        self._subnets()
        self._simple("security group", _NSG, "nsg", self._bodies.security_group())
        self._simple("address", _PIP, "ip", self._bodies.address())
        self._simple("interface", _NIC, "nic", self._bodies.interface())
        self._disks()
        self._machines()
        self._others()
        self._deletions()
        return self.answers

    def _note(self, step: str, answer: Answer) -> Answer:
        self.answers[step] = answer
        return answer

    def _call(self, step: str, method: str, path: str, body: object = None, **more: Any) -> Answer:  # noqa: ANN401 - passed on
        return self._note(step, self._caller.call(method, path, body, **more))

    def _groups(self) -> None:
        body = {"location": "eastus", "tags": {"purpose": "shapes"}}
        self._call("group put", "PUT", "/resourcegroups/shapes", body)
        self._call("group get", "GET", "/resourcegroups/shapes")
        self._call("group head", "HEAD", "/resourcegroups/shapes")
        self._call("group head missing", "HEAD", "/resourcegroups/nowhere")
        self._call("group patch", "PATCH", "/resourcegroups/shapes", {"tags": {"purpose": "more shapes"}})
        self._call("group list", "GET", "/resourcegroups")
        self._call("group resources", "GET", "/resourceGroups/shapes/resources")

    def _simple(self, noun: str, kind: str, name: str, body: dict[str, Any]) -> None:
        path = self._bodies.path(kind, name)
        answer = self._call(f"{noun} put", "PUT", path, body)
        polled = self._caller.wait(answer)
        if noun == "network":
            self._note("network operation", polled)
        self._call(f"{noun} get", "GET", path)
        self._call(f"{noun} get missing", "GET", f"{path}-missing")
        self._call(f"{noun} put again", "PUT", path, body)
        self._call(f"{noun} put stale", "PUT", path, body, headers=_STALE)
        self._call(f"{noun} list", "GET", path.rpartition("/")[0])
        self._call(f"{noun} list missing group", "GET", f"/resourceGroups/nowhere/providers/{kind}")

    def _subnets(self) -> None:
        parent = self._bodies.path(_NET, "net")
        body = {"properties": {"addressPrefix": "10.0.1.0/24"}}
        self._caller.wait(self._call("subnet put", "PUT", f"{parent}/subnets/more", body))
        self._call("subnet get", "GET", f"{parent}/subnets/more")
        self._call("subnet get missing", "GET", f"{parent}/subnets/missing")
        self._call("subnet put again", "PUT", f"{parent}/subnets/more", body)
        self._call("subnet list", "GET", f"{parent}/subnets")
        self._call("subnet list missing group", "GET", f"/resourceGroups/nowhere/providers/{_NET}/net/subnets")

    def _disks(self) -> None:
        path = self._bodies.path(_DISK, "data")
        self._call("disk patch missing", "PATCH", path, {"properties": {"diskSizeGB": 64}})
        answer = self._call("disk put", "PUT", path, self._bodies.disk())
        self._note("disk operation", self._caller.wait(answer))
        self._call("disk get", "GET", path)
        self._call("disk get missing", "GET", f"{path}-missing")
        self._call("disk list", "GET", path.rpartition("/")[0])
        self._call("disk list missing group", "GET", f"/resourceGroups/nowhere/providers/{_DISK}")

    def _machines(self) -> None:
        path, body = self._bodies.path(_VM, "vm"), self._bodies.machine()
        self._call("machine instance view missing", "GET", f"{path}/instanceView")
        body["tags"] = {"purpose": "shapes"}
        empty = {"lun": 1, "createOption": "Empty", "diskSizeGB": 32}
        body["properties"]["storageProfile"]["dataDisks"] = [empty]
        body["properties"]["diagnosticsProfile"] = {"bootDiagnostics": {"enabled": True}}
        answer = self._call("machine put", "PUT", path, body)
        self._note("machine operation running", self._caller.follow(answer.headers["azure-asyncoperation"]))
        self._note("machine operation", self._caller.wait(answer))
        self._call("machine get", "GET", path)
        self._call("machine put again", "PUT", path, body)
        self._call("machine put stale", "PUT", path, body, headers=_STALE)
        self._call("machine list", "GET", path.rpartition("/")[0])
        self._call("machine list missing group", "GET", f"/resourceGroups/nowhere/providers/{_VM}")
        self._call("machine instance view", "GET", f"{path}/instanceView")
        self._call("machine expanded", "GET", path, expand="instanceView")
        for verb in ("restart", "powerOff", "start", "deallocate"):
            answer = self._call(f"machine {verb}", "POST", f"{path}/{verb}")
            self._caller.wait(answer)
        self._note("machine monitor", self._caller.follow(answer.headers["location"]))

    def _others(self) -> None:
        self._failed_machine("spot machine put", {"priority": "Spot", "evictionPolicy": "Deallocate"})
        self._failed_machine("identity machine put", {})
        name = uuid.uuid4()
        role = f"{self._caller.root}/providers/Microsoft.Authorization/roleDefinitions/{_CONTRIBUTOR}"
        body = {"properties": {"roleDefinitionId": role, "principalId": str(name), "principalType": "ServicePrincipal"}}
        path = self._bodies.path("Microsoft.Authorization/roleAssignments", str(name))
        self._call("role assignment put", "PUT", path, body)
        self._call("usages", "GET", "/providers/Microsoft.Compute/locations/eastus/usages")
        restricted = {"size": "Standard_D2s_v3", "region": "eastus", "zones": ["1"]}
        service.change_settings(self._caller.handle, size_restrictions=[restricted])
        self._call("sizes", "GET", "/providers/Microsoft.Compute/skus", filter="location eq 'eastus'")
        self._call("provider get", "GET", "/providers/Microsoft.Compute")
        self._call("provider register", "POST", "/providers/Microsoft.DevTestLab/register")

    def _failed_machine(self, step: str, properties: dict[str, Any]) -> None:
        error = {"code": "AllocationFailed", "message": "Allocation failed."}
        fault = {"method": "PUT", "path": "/virtualMachines/other", "operation_error": error}
        service.script_faults(self._caller.handle, fault)
        nic, path = self._bodies.path(_NIC, "other"), self._bodies.path(_VM, "other")
        self._caller.done("PUT", nic, self._bodies.interface())
        body = self._bodies.machine()
        body["identity"] = {"type": "SystemAssigned"}
        body["properties"] |= properties
        if properties:
            body["properties"]["billingProfile"] = {"maxPrice": -1}
        reference = {"id": self._bodies.id(_NIC, "other"), "properties": {"primary": True}}
        body["properties"]["networkProfile"]["networkInterfaces"] = [reference]
        answer = self._call(step, "PUT", path, body)
        self._note("failed operation", self._caller.wait(answer))
        self._caller.done("DELETE", path)

    def _deletions(self) -> None:
        for noun, kind, name in (
            ("machine", _VM, "vm"),
            ("disk", _DISK, "data"),
            ("interface", _NIC, "nic"),
            ("subnet", _NET, "net/subnets/more"),
            ("address", _PIP, "ip"),
            ("security group", _NSG, "nsg"),
        ):
            answer = self._call(f"{noun} delete", "DELETE", self._bodies.path(kind, name))
            self._note(f"{noun} delete operation", self._caller.wait(answer))
        self._caller.done("DELETE", self._bodies.path(_NIC, "other"))
        self._caller.wait(self._call("network delete", "DELETE", self._bodies.path(_NET, "net")))
        slow = {"method": "DELETE", "path": "/resourcegroups/shapes$", "operation_delay_seconds": _OPERATION_SECONDS}
        service.script_faults(self._caller.handle, slow)
        answer = self._call("group delete", "DELETE", "/resourcegroups/shapes")
        self._note("group delete running", self._caller.follow(answer.headers["location"]))
        self._note("group delete done", self._caller.wait(answer))


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Answer]]:
    """Every answer of the recorded scenarios, played against an emulator of its own."""
    with rehearsal_cloud(tmp_path_factory.mktemp("shapes")) as caller:
        slow = {"method": "PUT", "path": "/virtualMachines/vm$", "operation_delay_seconds": _OPERATION_SECONDS}
        service.script_faults(caller.handle, slow)
        yield _Journey(caller).play()


@pytest.mark.parametrize("shape", SHAPES, ids=[shape["step"] for shape in SHAPES])
def test_answer_has_the_recorded_shape(answers: dict[str, Answer], shape: dict[str, Any]) -> None:
    """Status, header names, key names and states are those of the real service."""
    answer = answers[shape["step"]]
    assert answer.status == shape["status"], answer.body
    missing_headers = [name for name in shape["headers"] if name not in answer.headers]
    assert missing_headers == []
    assert [name for name in shape["absent"] if name in answer.headers] == []
    missing_keys = sorted(set(shape["keys"].split()) - set(_key_paths(answer.body)))
    assert missing_keys == []
    assert _named_values(answer.body) | _expected_values(shape) == _named_values(answer.body)


def test_every_answer_carries_the_headers_that_arm_always_sends(answers: dict[str, Answer]) -> None:
    """Tracing ids and cache rules stand on every answer; a body is JSON in UTF-8."""
    always = {"x-ms-request-id", "x-ms-correlation-request-id", "x-ms-routing-request-id", "cache-control", "expires"}
    always |= {"pragma", "strict-transport-security", "x-content-type-options"}
    for step, answer in answers.items():
        assert always <= answer.headers.keys(), step
        if answer.body:
            assert answer.headers["content-type"] == "application/json; charset=utf-8", step


def _key_paths(value: object, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            here = f"{path}.{key}" if path else key
            yield here
            yield from _key_paths(inner, here)
    elif isinstance(value, list):
        for inner in value:
            yield from _key_paths(inner, f"{path}[]")


def _named_values(body: Any) -> dict[str, str]:  # noqa: ANN401 - parsed JSON
    if not isinstance(body, dict):
        return {}
    found = {
        "state": (body.get("properties") or {}).get("provisioningState"),
        "operation": body.get("status"),
        "code": (body.get("error") or {}).get("code"),
    }
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _expected_values(shape: dict[str, Any]) -> dict[str, str]:
    # A failed operation's own code is the fault's, not the recording's.
    names = ("state", "operation") if shape.get("operation") == "Failed" else ("state", "operation", "code")
    return {name: shape[name] for name in names if name in shape}
