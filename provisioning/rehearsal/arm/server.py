"""The socket side: HTTP/1.1 with keep-alive, one thread per connection, TLS where a context is given."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.http import DroppedConnectionError, Request

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.http import Application, Response

_IDLE_CONNECTION_SECONDS = 120.0
_STOP_LAG_SECONDS = 0.1
_MAX_BODY_BYTES = 4 * 1024 * 1024


class EmulatorServer(ThreadingHTTPServer):
    """Serves one application on 127.0.0.1."""

    daemon_threads = True
    request_queue_size = 128

    application: Application

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    def serve(self, application: Application) -> None:
        """Answer calls with `application` from now on, in threads."""
        self.application = application
        threading.Thread(
            target=self.serve_forever, args=(_STOP_LAG_SECONDS,), name=f"port {self.port}", daemon=True
        ).start()

    def get_request(self) -> tuple[socket.socket, object]:
        """Accept a connection; the TLS handshake is left to its own thread, where a slow client holds up nobody."""
        connection, address = self.socket.accept()
        connection.settimeout(_IDLE_CONNECTION_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news; anything else is reported as usual."""
        if isinstance(sys.exception(), OSError):
            return
        super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: EmulatorServer
    # One segment per answer: head and body leave together.
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection.do_handshake()

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()
            return
        self.close_connection = True

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _MAX_BODY_BYTES:
            self.send_error(413)
            return
        request = Request.parse(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
        try:
            self._send(self.server.application(request))
        except DroppedConnectionError:
            self._reset()

    def _send(self, response: Response) -> None:
        payload = response.payload()
        self.send_response_only(response.status)
        self.send_header("Server", self.version_string())
        if "Date" not in response.headers:
            self.send_header("Date", self.date_time_string())
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 204:
            self.send_header("Content-Length", str(len(payload)))
        if payload:
            kind = "text/plain" if response.text is not None else "application/json"
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)
        self.wfile.flush()

    def _reset(self) -> None:
        # Linger 0 makes close() send RST instead of FIN: the client sees a reset connection.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815 - names set by the base class

    def version_string(self) -> str:
        return "Microsoft-HTTPAPI/2.0"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - name set by the base class
        """Say nothing: the emulator keeps no access log."""
