"""Raw calls to a rehearsal cloud: what a client sees on the wire, without an SDK in between."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from provisioning.rehearsal import service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from provisioning.rehearsal.service import EmulatorHandle

# Those that today's SDK packages send, by the beginning of what follows `/providers/`.
_VERSIONS = {
    "microsoft.compute/disks": "2026-03-02",
    "microsoft.compute/snapshots": "2026-03-02",
    "microsoft.compute/skus": "2021-07-01",
    "microsoft.compute/": "2026-04-01",
    "microsoft.network/": "2026-03-01",
    "microsoft.devtestlab/": "2018-09-15",
    "microsoft.authorization/locks": "2020-05-01",
    "microsoft.authorization/": "2022-04-01",
    "microsoft.resourcegraph/": "2021-03-01",
    "": "2025-04-01",
}
# These do not start below the subscription.
_WHOLE_PATHS = ("/subscriptions", "/providers/Microsoft.ResourceGraph")
_DEADLINE_SECONDS = 60.0
_SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEf0e3WmVJ0xJgYh3vM6oL1u1Qn5t3l1mJ1Y1Z9d2a5e test"


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str:
        """The ARM error code."""
        return str(self.body["error"]["code"])


class ArmCaller:
    """Calls one rehearsal cloud as its service principal."""

    def __init__(self, handle: EmulatorHandle) -> None:
        self.handle = handle
        self.root = f"/subscriptions/{handle.subscription_id}"
        context = ssl.create_default_context(cafile=str(handle.ca_file))
        address = urlsplit(handle.base_url)
        self._connection = http.client.HTTPSConnection(str(address.hostname), address.port, context=context, timeout=30)
        self._token = self._sign_in()

    def _sign_in(self) -> str:
        handle = self.handle
        form = {"grant_type": "client_credentials", "scope": f"{handle.base_url}/.default"}
        form |= {"client_id": handle.client_id, "client_secret": handle.client_secret}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self.raw("POST", f"/{handle.tenant_id}/oauth2/v2.0/token", urlencode(form), headers)
        return str(answer.body["access_token"])

    def raw(self, method: str, target: str, body: str | None, headers: Mapping[str, str]) -> Answer:
        """One call exactly as given."""
        try:
            self._connection.request(method, target, body, dict(headers))
            response = self._connection.getresponse()
            payload = response.read()
        except OSError:
            self._connection.close()
            raise
        parsed = json.loads(payload) if payload.startswith((b"{", b"[")) else payload.decode()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, parsed)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        **query: str,
    ) -> Answer:
        """One signed-in call; `path` starts below the subscription, the api-version follows from it."""
        full = path if path.startswith(_WHOLE_PATHS) or path == "/" else f"{self.root}{path}"
        query.setdefault("api_version", _version(full))
        names = {
            "api_version": "api-version",
            "expand": "$expand",
            "filter": "$filter",
            "top": "$top",
            "orderby": "$orderby",
        }
        wanted = {names.get(name, name): value for name, value in query.items() if value}
        text = None if body is None else json.dumps(body)
        sent = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json", **(headers or {})}
        return self.raw(method, f"{full.replace(' ', '%20')}?{urlencode(wanted)}", text, sent)

    def follow(self, url: str) -> Answer:
        """GET a URL that the server gave, verbatim."""
        return self.raw("GET", url.removeprefix(self.handle.base_url), None, {"Authorization": f"Bearer {self._token}"})

    def wait(self, answer: Answer) -> Answer:
        """Poll what an asynchronous answer points at until it is over; the last answer, or `answer` itself."""
        url = answer.headers.get("azure-asyncoperation") or answer.headers.get("location")
        deadline = time.monotonic() + _DEADLINE_SECONDS
        last = answer
        while url and time.monotonic() < deadline:
            last = self.follow(url)
            pending = last.status == 202 or (isinstance(last.body, dict) and last.body.get("status") == "InProgress")
            if not pending:
                return last
            time.sleep(0.02)
        return last

    def done(self, method: str, path: str, body: object = None, **query: str) -> Answer:
        """Make a call that must be accepted and succeed; its first answer."""
        answer = self.call(method, path, body, headers=None, **query)
        assert answer.status < 300, answer
        last = self.wait(answer)
        assert last.status < 300, last
        assert not isinstance(last.body, dict) or last.body.get("status") in {None, "Succeeded"}, last
        return answer


def _version(path: str) -> str:
    provider = path.lower().rpartition("/providers/")[2] if "/providers/" in path.lower() else ""
    if "/" not in provider or provider.endswith("/register"):
        return "2025-04-01"
    return next(version for prefix, version in _VERSIONS.items() if provider.startswith(prefix))


@contextlib.contextmanager
def rehearsal_cloud(state_folder: Path) -> Iterator[ArmCaller]:
    """An emulator of its own for a test; killed with all its machines afterwards."""
    handle = service.ensure_running(state_folder)
    try:
        yield ArmCaller(handle)
    finally:
        current = service.running(state_folder)
        if current is not None:
            service.end(current)


class Bodies:
    """Request bodies of a small machine in one group, region eastus."""

    def __init__(self, caller: ArmCaller, group: str) -> None:
        self.group_path = f"/resourceGroups/{group}"
        self._root = caller.root

    def path(self, kind: str, name: str) -> str:
        """Path of a resource below the subscription; `kind` as `Microsoft.Compute/disks`."""
        return f"{self.group_path}/providers/{kind}/{name}"

    def id(self, kind: str, name: str) -> str:
        """Its full id."""
        return f"{self._root}{self.path(kind, name)}"

    def network(self) -> dict[str, Any]:
        """A virtual network with one subnet."""
        subnet = {"name": "machines", "properties": {"addressPrefix": "10.0.0.0/24"}}
        return {
            "location": "eastus",
            "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [subnet]},
        }

    def security_group(self) -> dict[str, Any]:
        """A group without rules of its own."""
        return {"location": "eastus"}

    def address(self) -> dict[str, Any]:
        """A Standard public address."""
        return {"location": "eastus", "sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}}

    def interface(self, *, address: str = "", delete_address: bool = False) -> dict[str, Any]:
        """An interface in the subnet, with the public address of that name if one is given."""
        subnet = f"{self.id('Microsoft.Network/virtualNetworks', 'net')}/subnets/machines"
        properties: dict[str, Any] = {"subnet": {"id": subnet}}
        if address:
            properties["publicIPAddress"] = {"id": self.id("Microsoft.Network/publicIPAddresses", address)}
        if delete_address:
            properties["publicIPAddress"]["properties"] = {"deleteOption": "Delete"}
        return {"location": "eastus", "properties": {"ipConfigurations": [{"name": "ip", "properties": properties}]}}

    def disk(self) -> dict[str, Any]:
        """An empty disk."""
        return {"location": "eastus", "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 32}}

    def machine(
        self, *, data_disk: str = "", interface_option: str = "", size: str = "Standard_D2s_v5"
    ) -> dict[str, Any]:
        """A machine on the interface `nic`."""
        nic: dict[str, Any] = {"id": self.id("Microsoft.Network/networkInterfaces", "nic")}
        if interface_option:
            nic["properties"] = {"deleteOption": interface_option}
        image = {"publisher": "microsoft-dsvm", "offer": "ubuntu-hpc", "sku": "2404", "version": "latest"}
        storage: dict[str, Any] = {"imageReference": image, "osDisk": {"name": "os", "createOption": "FromImage"}}
        if data_disk:
            disk_id = self.id("Microsoft.Compute/disks", data_disk)
            storage["dataDisks"] = [{"lun": 0, "createOption": "Attach", "managedDisk": {"id": disk_id}}]
        key = {"path": "/home/llama/.ssh/authorized_keys", "keyData": _SSH_KEY}
        return {
            "location": "eastus",
            "properties": {
                "hardwareProfile": {"vmSize": size},
                "storageProfile": storage,
                "osProfile": {
                    "computerName": "rehearsal",
                    "adminUsername": "llama",
                    "customData": base64.b64encode(b"#cloud-config\n{}\n").decode(),
                    "linuxConfiguration": {"disablePasswordAuthentication": True, "ssh": {"publicKeys": [key]}},
                },
                "networkProfile": {"networkInterfaces": [nic]},
            },
        }
