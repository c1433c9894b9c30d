"""Listens, and answers SSH connections: who may come in and what may be asked."""

from __future__ import annotations

import logging
import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

from provisioning.rehearsal.machines.in_process.commands import Terminal, run_on_channel
from provisioning.rehearsal.machines.in_process.files import FileServer, FileSubsystem

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioning.rehearsal.machines.in_process.settings import ServerSettings

_LOG = logging.getLogger("machine")
_BACKLOG = 128
# paramiko needs quadratic time for what waits in a window, so a larger one is slower.
_WINDOW_BYTES = 2 * 1024 * 1024


def serve(settings: ServerSettings) -> None:
    """Accept connections for ever; ends the process when it cannot listen."""
    try:
        listener = socket.create_server((settings.address, settings.port), backlog=_BACKLOG)
    except OSError as error:
        _LOG.error("cannot listen on %s:%d: %s", settings.address, settings.port, error)
        os._exit(1)
    Path(settings.pid_file).write_text(f"{os.getpid()}\n")
    _LOG.info("listening on %s port %d", settings.address, settings.port)
    while True:
        connection, peer = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_welcome, args=[connection, peer, settings], daemon=True).start()


def _welcome(connection: socket.socket, peer: tuple[str, int], settings: ServerSettings) -> None:
    transport = _OrderlyTransport(connection, default_window_size=_WINDOW_BYTES)
    try:
        for key_file in Path(settings.ssh_folder).glob("ssh_host_*_key"):
            transport.add_server_key(paramiko.PKey.from_path(key_file))
        transport.set_subsystem_handler("sftp", FileSubsystem, FileServer, settings.home)
        transport.start_server(server=_Door(settings, transport, peer))
    except (OSError, EOFError, paramiko.SSHException) as error:
        _LOG.info("connection from %s port %d failed: %s", *peer, error)
        transport.close()


class _OrderlyTransport(paramiko.Transport):
    """Starts a command only after the reply that grants it: a quick one could otherwise close the channel before it."""

    _granted: Callable[[], None] | None = None

    def start_after_reply(self, start: Callable[[], None]) -> None:
        """Called from this transport's own thread, which sends the reply next."""
        self._granted = start

    def _send_user_message(self, data: paramiko.Message) -> None:
        super()._send_user_message(data)  # type: ignore[misc]
        if self._granted is not None and threading.current_thread() is self:
            start, self._granted = self._granted, None
            start()


class _Door(paramiko.ServerInterface):
    """One connection's rights."""

    def __init__(self, settings: ServerSettings, transport: _OrderlyTransport, peer: tuple[str, int]) -> None:
        self._settings = settings
        self._transport = transport
        self._peer = peer
        self._terminals: dict[int, Terminal] = {}
        self._environment = dict(settings.environment)
        address, port = peer
        self._environment["SSH_CONNECTION"] = f"{address} {port} {settings.address} {settings.port}"

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 (paramiko's signature)
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if username != self._settings.username or not self._is_authorized(key):
            _LOG.info("refused %s key for %s from %s port %d", key.get_name(), username, *self._peer)
            return AUTH_FAILED
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        _LOG.info("%s opens %s channel %d from %s port %d", self._settings.username, kind, chanid, *self._peer)
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_env_request(self, channel: paramiko.Channel, name: bytes, value: bytes) -> bool:  # noqa: ARG002
        accepted = name == b"LANG" or name.startswith(b"LC_")
        if accepted:
            self._environment[os.fsdecode(name)] = os.fsdecode(value)
        return accepted

    def check_channel_pty_request(  # noqa: PLR0917 (paramiko's signature)
        self,
        channel: paramiko.Channel,
        term: bytes,
        width: int,
        height: int,
        pixelwidth: int,  # noqa: ARG002 (paramiko's signature)
        pixelheight: int,  # noqa: ARG002
        modes: bytes,  # noqa: ARG002
    ) -> bool:
        self._terminals[channel.get_id()] = Terminal(os.fsdecode(term), width, height)
        return True

    def check_channel_window_change_request(
        self,
        channel: paramiko.Channel,
        width: int,
        height: int,
        pixelwidth: int,  # noqa: ARG002 (paramiko's signature)
        pixelheight: int,  # noqa: ARG002
    ) -> bool:
        terminal = self._terminals.get(channel.get_id())
        if terminal is not None:
            terminal.resize(width, height)
        return terminal is not None

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        return self._start(channel, [self._environment["SHELL"], "-l"])

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        return self._start(channel, [self._environment["SHELL"], "-c", os.fsdecode(command)])

    def _start(self, channel: paramiko.Channel, argv: list[str]) -> bool:
        work = threading.Thread(
            target=run_on_channel,
            args=[channel, argv, dict(self._environment), self._settings.home],
            kwargs={"terminal": self._terminals.get(channel.get_id())},
            daemon=True,
        )
        self._transport.start_after_reply(work.start)
        return True

    def _is_authorized(self, key: paramiko.PKey) -> bool:
        """Read again each time: a second computer's key may be added while the machine runs."""
        authorized = Path(self._settings.home, ".ssh", "authorized_keys").read_text()
        return any(key.get_base64() in line.split() for line in authorized.splitlines() if not line.startswith("#"))
