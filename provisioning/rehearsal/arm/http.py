"""Requests and responses as values; the socket side lives in `server.py`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from provisioning.rehearsal.arm.errors import ArmError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.rehearsal.arm.json_types import Json


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    Attributes:
        method: HTTP method.
        target: Path and query as they came.
        path: Decoded, without a slash at the end.
        query: By lower-case name.
        headers: By lower-case name.
        body: What was sent.
    """

    method: str
    target: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)

    @staticmethod
    def parse(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Request:
        """Build a request from the request line's target and the raw headers."""
        parts = urlsplit(target)
        query = {name.lower(): value for name, value in parse_qsl(parts.query, keep_blank_values=True)}
        lowered = {name.lower(): value for name, value in headers.items()}
        return Request(method, target, unquote(parts.path).rstrip("/") or "/", query, lowered, body)

    def json(self) -> Json:
        """The body as a JSON object.

        Raises:
            ArmError: 400 InvalidRequestContent when it is none.
        """
        try:
            parsed = json.loads(self.body or b"null")
        except ValueError as error:
            reason = f"The request content was invalid and could not be deserialized: '{error}'."
            raise ArmError(400, "InvalidRequestContent", reason) from error
        if not isinstance(parsed, dict):
            raise ArmError(400, "InvalidRequestContent", "The request content was invalid: a JSON object is required.")
        return parsed


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer; `body` None sends no content, `text` sends plain text instead of JSON."""

    status: int
    body: Json | list[Json] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    text: bytes | None = None

    def payload(self) -> bytes:
        """The body as it goes over the wire."""
        if self.text is not None:
            return self.text
        return b"" if self.body is None else json.dumps(self.body).encode()


class DroppedConnectionError(Exception):
    """A scripted fault: close the connection without an answer."""


class Application(Protocol):
    """Anything that answers requests."""

    def __call__(self, request: Request) -> Response:
        """Answer `request`; called from one thread per connection."""
        ...


def error_response(error: ArmError) -> Response:
    """An ARM error as an HTTP answer."""
    return Response(error.status, {"error": error.error()}, error.headers)
