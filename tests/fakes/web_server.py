"""A web server on the loopback with ranges, ETags and digests, which cuts, lies and redirects when it is told to."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass
class WebServer:
    """What is served, and what was asked.

    Attributes:
        url: Its address.
        files: Content by path.
        digests: Whether it tells the MD5 of its files.
        ranges: Whether it gives parts of a file.
        cut_after: Bytes of an answer after which the connection is cut, for as many answers as `cuts` says.
        cuts: How many answers are still to be cut.
        damage: Paths one byte of which is flipped on its way.
        redirects: Where a path leads instead.
        refuse: Status by path.
        hold: When set, answers wait for it after their first bytes.
        requests: `METHOD path range` of every request, in order.
        sent_bytes: Content bytes that were sent.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    digests: bool = True
    ranges: bool = True
    cut_after: int = 0
    cuts: int = 0
    damage: set[str] = field(default_factory=set)
    redirects: dict[str, str] = field(default_factory=dict)
    refuse: dict[str, int] = field(default_factory=dict)
    hold: threading.Event | None = None
    requests: list[str] = field(default_factory=list)
    sent_bytes: int = 0
    held: threading.Event = field(default_factory=threading.Event)


@contextmanager
def web_server(**files: bytes) -> Iterator[WebServer]:
    """Serve `files` (more through `.files`) until the block ends."""
    web = WebServer(files=dict(files))

    class Handler(_Handler):
        served = web

    server = _Quiet(("127.0.0.1", 0), Handler)
    web.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield web
    finally:
        if web.hold is not None:
            web.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(ThreadingHTTPServer):
    """A client that is killed is what tests are about, and nothing to tell of."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the server's signature
        """Nothing on the test's terminal."""


class _Handler(BaseHTTPRequestHandler):
    served: WebServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the server's signature
        """Nothing on the test's terminal."""

    def _answer(self) -> None:
        web = self.served
        path = unquote(urlsplit(self.path).path).lstrip("/")
        web.requests.append(f"{self.command} {path} {self.headers.get('Range', '')}".strip())
        if path in web.redirects:
            self._head(302, {"Location": web.redirects[path], "Content-Length": "0"})
        elif path in web.refuse or path not in web.files:
            self._head(web.refuse.get(path, 404), {"Content-Length": "0"})
        else:
            self._file(path, web.files[path])

    def _file(self, path: str, data: bytes) -> None:
        web = self.served
        etag = f'"{hashlib.sha1(data, usedforsecurity=False).hexdigest()}"'
        headers = {"ETag": etag}
        found = _RANGE.fullmatch(self.headers.get("Range", "")) if web.ranges else None
        if web.ranges:
            headers["Accept-Ranges"] = "bytes"
        if web.digests:
            headers["Content-MD5"] = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        if path in web.damage:
            data = bytes([data[0] ^ 1]) + data[1:]
        if found and self.headers.get("If-Range", etag) == etag:
            start, end = int(found[1]), min(int(found[2]), len(data) - 1)
            headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
            self._body(206, headers, data[start : end + 1])
        else:
            self._body(200, headers, data)

    def _body(self, status: int, headers: dict[str, str], data: bytes) -> None:
        web = self.served
        self._head(status, {**headers, "Content-Length": str(len(data))})
        if self.command == "HEAD":
            return
        if web.cuts > 0 and len(data) > web.cut_after:
            web.cuts -= 1
            self.wfile.write(data[: web.cut_after])
            self.close_connection = True
            self.connection.close()
            return
        half = len(data) // 2
        self.wfile.write(data[:half])
        web.sent_bytes += half
        if web.hold is not None:
            web.held.set()
            web.hold.wait(30)
        self.wfile.write(data[half:])
        web.sent_bytes += len(data) - half

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
