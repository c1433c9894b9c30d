"""One small request to the web, with a deadline; a redirect never leads away from encryption, nor a token along."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

MOST_BYTES = 8 << 20
_TIMEOUT_SECONDS = 8.0
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class UnknownError(Exception):
    """It cannot be told from here; the words say why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said; the body at most 8 MiB of it, and empty for errors."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            UnknownError: It is none.
        """
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise UnknownError("its answer cannot be understood")
        return document


def request(method: str, url: str, headers: Mapping[str, str], *, follow: bool = False) -> Answer:
    """Ask once.

    Args:
        method: `GET` or `HEAD`.
        url: `http(s)://` address.
        headers: Beside the usual ones.
        follow: Go where a redirect leads; otherwise it is the answer.

    Raises:
        UnknownError: Nobody answers.
    """
    asked = {"User-Agent": "llamalift", **headers}
    for _ in range(_MOST_REDIRECTS):
        answer = _once(method, url, asked)
        there = urljoin(url, answer.headers.get("Location", ""))
        is_open = url.startswith("https:") and not there.startswith("https:")
        if not follow or answer.status not in _REDIRECTS or is_open:
            return answer
        if urlsplit(there).netloc != urlsplit(url).netloc:
            asked.pop("Authorization", None)
        url = there
    raise UnknownError("it leads from one address to the next without end")


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """None makes the redirect the answer."""


def _once(method: str, url: str, headers: Mapping[str, str]) -> Answer:
    wanted = urllib.request.Request(url, headers=dict(headers), method=method)  # noqa: S310 - the run file's own
    try:
        with urllib.request.build_opener(_Stay()).open(wanted, timeout=_TIMEOUT_SECONDS) as response:
            return Answer(response.status, response.headers, response.read(MOST_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, b"")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise UnknownError(f"it does not answer this computer ({type(reason).__name__})") from error
