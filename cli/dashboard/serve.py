"""Serving the dashboard: loopback only, one process, until it is interrupted."""

from __future__ import annotations

import errno
import secrets
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn

from cli.dashboard.app import make_app
from cli.dashboard.guard import Keys
from runs.errors import SpecError
from runs.private_files import write_private
from runs.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs.state_folder import StateFolder

DEFAULT_PORT = 8642
_TRIED_PORTS = 20
_KEY_FILE = "dashboard.key"
_BYTES_OF_CHANCE = 32
# An open page asks again within seconds: nothing is worth waiting for.
_GOODBYE_SECONDS = 1


def serve(state: StateFolder, port: int | None, welcome: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Args:
        state: Whose runs are shown.
        port: On 127.0.0.1; 0 for any that is free; None for 8642, or the next one that is free.
        welcome: Is told the address, with its token, once it answers.

    Raises:
        SpecError: The port is taken.
    """
    keys = Keys(token=secrets.token_urlsafe(_BYTES_OF_CHANCE), cookie=_cookie(state))
    listener = _listen(port)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/?token={keys.token}"
    with Watcher() as watcher, listener:
        config = uvicorn.Config(
            make_app(state, keys, watcher), log_config=None, access_log=False, server_header=False,
            date_header=False, ws="none", timeout_graceful_shutdown=_GOODBYE_SECONDS,
        )  # fmt: skip
        # The listener takes connections already: whoever opens the address now waits for the first answer.
        welcome(address)
        with suppress(KeyboardInterrupt):  # Ctrl-C is how it is meant to end
            uvicorn.Server(config).run(sockets=[listener])


def _cookie(state: StateFolder) -> str:
    """What browsers keep: made once, so that a page that is open goes on after a restart."""
    file = state.root / _KEY_FILE
    if not file.exists():
        state.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(file, secrets.token_urlsafe(_BYTES_OF_CHANCE) + "\n")
    return file.read_text(encoding="ascii").strip()


def _listen(port: int | None) -> socket.socket:
    for number in [port] if port is not None else [*range(DEFAULT_PORT, DEFAULT_PORT + _TRIED_PORTS), 0]:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", number))
        except OSError as error:
            listener.close()
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
        else:
            listener.listen(128)
            return listener
    raise SpecError(f"the port is taken or not for you: {port}", hint="leave `--port` out, and a free one is found")
