"""The machine's own door to Azure: metadata, scheduled events, and the right to deallocate itself."""

from __future__ import annotations

import json
import os
import ssl
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

PUBLIC_IMDS = "http://169.254.169.254"
PUBLIC_ARM = "https://management.azure.com"
# All that asking may end in, an answer of another shape included.
Trouble = (OSError, HTTPException, KeyError, ValueError)
_TIMEOUT_SECONDS = 10.0
_GROUPS = "2025-04-01"
_RUN_TAG = "llamalift-run"
# The first question about events may take up to two minutes to be answered.
_EVENTS_TIMEOUT_SECONDS = 125.0


class NoArmError(Exception):
    """What must not be asked of Azure: by a rehearsal machine without LLAMALIFT_ARM, or about somebody else's group."""


@dataclass(frozen=True, slots=True)
class Imds:
    """The instance metadata service at `base` (link-local, so never through a proxy)."""

    base: str

    @classmethod
    def of_this_machine(cls, *, owns_machine: bool) -> Imds | None:
        """The service to ask: LLAMALIFT_IMDS in a rehearsal, the real one on a machine that is ours, else none."""
        override = os.environ.get("LLAMALIFT_IMDS")
        if override:
            return cls(override.rstrip("/"))
        return cls(PUBLIC_IMDS) if owns_machine else None

    def instance(self) -> dict[str, Any]:
        """The `compute` part of the instance metadata: name, resourceId and more."""
        return self._get("/metadata/instance/compute?api-version=2021-02-01")

    def token(self, resource: str) -> str:
        """An access token of the machine's own identity for `resource`."""
        path = f"/metadata/identity/oauth2/token?api-version=2018-02-01&resource={quote(resource, safe='')}"
        return str(self._get(path)["access_token"])

    def events(self) -> list[dict[str, Any]]:
        """The scheduled events that are on now."""
        document = self._get("/metadata/scheduledevents?api-version=2020-07-01", timeout=_EVENTS_TIMEOUT_SECONDS)
        return list(document.get("Events", []))

    def acknowledge(self, event_id: str) -> None:
        """Tell the platform that it need not wait any longer before it starts `event_id`."""
        body = {"StartRequests": [{"EventId": event_id}]}
        self._open("/metadata/scheduledevents?api-version=2020-07-01", body, _TIMEOUT_SECONDS)

    def _get(self, path: str, timeout: float = _TIMEOUT_SECONDS) -> dict[str, Any]:
        answer = json.loads(self._open(path, None, timeout))
        if not isinstance(answer, dict):
            raise ValueError(f"not a JSON object: {path}")  # noqa: TRY004 - a wrong answer, not a wrong call
        return answer

    def _open(self, path: str, body: Mapping[str, Any] | None, timeout: float) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Metadata": "true"})  # noqa: S310 - http on purpose
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=timeout) as answer:
            content: bytes = answer.read()
        return content


def deallocate(imds: Imds) -> str:
    """Ask Azure to deallocate this very machine; returns its id. It is accepted, not done, when this returns.

    Raises:
        NoArmError: A rehearsal machine that was not told its Resource Manager.
        urllib.error.HTTPError: A refusal.
        Trouble: No answer, or one of another shape.
    """
    vm_id = str(imds.instance()["resourceId"])
    _ask(imds, "POST", f"{vm_id}/deallocate", "2026-04-01")
    return vm_id


def delete_group(imds: Imds, run_id: str) -> str:
    """Ask Azure to delete the resource group that this machine is in, with the machine; returns its id.

    Raises:
        NoArmError: A rehearsal machine that was not told its Resource Manager, or a group that is not the run's.
        urllib.error.HTTPError: A refusal.
        Trouble: No answer, or one of another shape.
    """
    group_id = str(imds.instance()["resourceId"]).partition("/providers/")[0]
    tags = json.loads(_ask(imds, "GET", group_id, _GROUPS)).get("tags") or {}
    if tags.get(_RUN_TAG) != run_id:
        raise NoArmError(f"the resource group is not tagged as this run's: {group_id}")
    _ask(imds, "DELETE", group_id, _GROUPS)
    return group_id


def _ask(imds: Imds, method: str, path: str, api_version: str) -> bytes:
    """One call to the Resource Manager as the machine's own identity."""
    arm = _arm_base(imds)
    headers = {"Authorization": f"Bearer {imds.token(f'{PUBLIC_ARM}/')}"}
    data = b"" if method == "POST" else None
    url = f"{arm}{quote(path)}?api-version={api_version}"
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - the base is ours
    context = ssl.create_default_context(cafile=os.environ.get("LLAMALIFT_ARM_CA")) if arm.startswith("https") else None
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS, context=context) as answer:  # noqa: S310 - same
        content: bytes = answer.read()
    return content


def _arm_base(imds: Imds) -> str:
    override = os.environ.get("LLAMALIFT_ARM")
    if override:
        return override.rstrip("/")
    if imds.base != PUBLIC_IMDS:
        raise NoArmError("LLAMALIFT_ARM is not set")
    return PUBLIC_ARM
