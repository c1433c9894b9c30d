"""Who may look at the dashboard: whoever has the token that the terminal showed, on this computer, and only to look."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A page of another site can make a browser call us under a name of its own (DNS rebinding); these it cannot own.
_OUR_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
_WEEK_SECONDS = 7 * 24 * 3600
_HEADERS = {
    # Nothing but our own files; no inline script or style, no frame around us, nothing sent elsewhere.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Keys:
    """What opens the dashboard.

    Attributes:
        token: In the address that the terminal shows, for as long as this server runs.
        cookie: What the browser keeps instead; the same after a restart, so that an open page goes on.
    """

    token: str
    cookie: str


class Guard:
    """Lets a request through to `app`, or answers it: 400 a foreign name, 401 no key, 405 anything but a look."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self.app = app
        self.keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        answer = self._refusal(Request(scope)) or self.app
        await answer(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        """What is answered instead of the page; None where the page may be seen."""
        if _without_port(request.headers.get("host", "")) not in _OUR_NAMES:
            return _words("this page is only for this computer: open it by the address that the terminal shows", 400)
        if request.method not in {"GET", "HEAD"}:
            return _words("this page only shows: GET", 405)
        token = request.query_params.get("token")
        if token is not None and hmac.compare_digest(token.encode(), self.keys.token.encode()):
            return self._welcome(request)
        shown = request.cookies.get(cookie_name(request), "")
        if not hmac.compare_digest(shown.encode(), self.keys.cookie.encode()):
            return _words("not for everybody: open the address with the token that `llamalift dashboard` shows", 401)
        if request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"} and _wants_data(request):
            return _words("another site asked for this", 403)
        return None

    def _welcome(self, request: Request) -> Response:
        """Change the token in the address for a cookie; the address that stays in the browser has none."""
        rest = urlencode([(key, value) for key, value in request.query_params.multi_items() if key != "token"])
        answer = RedirectResponse(request.url.path + (f"?{rest}" if rest else ""), status_code=303)
        answer.set_cookie(
            cookie_name(request), self.keys.cookie, max_age=_WEEK_SECONDS, httponly=True, samesite="strict"
        )
        return answer


def cookie_name(request: Request) -> str:
    """Browsers keep one set of cookies for all ports of a host: each server has its own name."""
    return f"llamalift-{request.url.port or 80}"


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()


def _wants_data(request: Request) -> bool:
    """Whether it is not a person who follows a link."""
    return request.headers.get("sec-fetch-mode", "navigate") != "navigate"


def _words(text: str, status: int) -> Response:
    return PlainTextResponse(text + "\n", status_code=status)
