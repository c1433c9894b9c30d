"""What a rented machine sees of Azure from the inside: instance metadata, scheduled events, and ARM's deallocate."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from types import TracebackType

GROUP_ID = "/subscriptions/s/resourceGroups/llamalift-demo"
VM_ID = f"{GROUP_ID}/providers/Microsoft.Compute/virtualMachines/vm-demo"
_TOKEN = "token-of-the-machine"


@dataclass
class AzureInside:
    """A real HTTP server on loopback; what was asked of it is kept.

    Attributes:
        deallocate_answers: Statuses for the next deallocate calls; 202 when they are used up.
        events: The scheduled events that are on.
        group_tags: Tags of the machine's resource group.
        deleted: Ids of the groups that were deleted.
        deallocated: Ids of the machines that were deallocated.
        acknowledged: Ids of the events that were acknowledged.
        seen: Method and path of every request.
    """

    deallocate_answers: list[int] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    group_tags: dict[str, str] = field(default_factory=lambda: {"llamalift-run": "demo-abc234"})
    deleted: list[str] = field(default_factory=list)
    deallocated: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """What makes an agent talk to this server."""
        base = f"http://127.0.0.1:{self._server.server_port}"
        return {"LLAMALIFT_IMDS": base, "LLAMALIFT_ARM": base}

    def evict(self, event_id: str, *, kind: str = "Preempt", notice_seconds: float | None = None) -> None:
        """Announce the end of the machine; without `notice_seconds` the platform leaves open when."""
        at = "" if notice_seconds is None else formatdate(time.time() + notice_seconds, usegmt=True)
        event = {"EventId": event_id, "EventStatus": "Scheduled", "EventType": kind, "Resources": ["VM-Demo"]}
        self.events.append({**event, "NotBefore": at})

    def answer(self, method: str, url: str, headers: dict[str, str], body: bytes) -> tuple[int, object]:
        """Status and JSON of one request."""
        self.seen.append(f"{method} {url}")
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        if parts.path == f"{VM_ID}/deallocate":
            return self._deallocate(headers, query)
        if parts.path == GROUP_ID:
            return self._group(method, headers, query)
        if headers.get("Metadata") != "true":
            return 400, {"error": "Bad request. Required metadata header not specified"}
        if method == "POST":
            self.acknowledged += [entry["EventId"] for entry in json.loads(body)["StartRequests"]]
            return 200, {}
        good_token_request = query.get("resource") == ["https://management.azure.com/"]
        documents: dict[str, object] = {
            "/metadata/instance/compute": {"name": "vm-demo", "resourceId": VM_ID},
            "/metadata/identity/oauth2/token": {"access_token": _TOKEN} if good_token_request else {},
            "/metadata/scheduledevents": {"DocumentIncarnation": len(self.events), "Events": self.events},
        }
        return (200, documents[parts.path]) if parts.path in documents else (404, {})

    def _deallocate(self, headers: dict[str, str], query: dict[str, list[str]]) -> tuple[int, object]:
        if headers.get("Authorization") != f"Bearer {_TOKEN}" or query.get("api-version") != ["2026-04-01"]:
            return 401, {"error": {"code": "AuthenticationFailed"}}
        status = self.deallocate_answers.pop(0) if self.deallocate_answers else 202
        if status == 202:
            self.deallocated.append(VM_ID)
        return status, {}

    def _group(self, method: str, headers: dict[str, str], query: dict[str, list[str]]) -> tuple[int, object]:
        if headers.get("Authorization") != f"Bearer {_TOKEN}" or query.get("api-version") != ["2025-04-01"]:
            return 401, {"error": {"code": "AuthenticationFailed"}}
        if method == "GET":
            return 200, {"id": GROUP_ID, "tags": self.group_tags}
        self.deleted.append(GROUP_ID)
        return 202, {}


def _handler(azure: AzureInside) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def do_DELETE(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.title(): value for name, value in self.headers.items()}
            status, value = azure.answer(self.command, self.path, headers, body)
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing: `seen` has it."""

    return Handler
