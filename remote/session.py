"""The SSH session: the only module that imports paramiko, and the only one that runs commands on the machine.

It is longer than most, because everything that knows paramiko and its exceptions is here.
"""

from __future__ import annotations

import logging
import math
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from remote.errors import HostKeyChangedError, RemoteError, SignInRefusedError, UnreachableError
from remote.jump import Tunnel
from remote.keys import fingerprint, host_key_algorithms, public_key_bytes, refuse_exposed
from remote.liveness import Watch, WatchedSocket
from remote.running import RECONNECT_HINT, RunningCommand
from remote.types import Completed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from remote.command import Command
    from remote.types import Endpoint

# What a channel may receive before it says that it read it. Measured: as fast as 3 MiB on a short link, and on one of
# 150 ms a third faster; far larger ones make paramiko's buffers quadratic (16 MiB: 40 % slower).
RECEIVE_WINDOW_BYTES = 5 * 1024 * 1024
_PACKET_BYTES = 128 * 1024
# RFC 4344 section 3.2 allows 2**(L/4) blocks per key, 64 GiB for AES; paramiko's own limit is 512 MiB.
_REKEY_BYTES = 2**36
_REKEY_PACKETS = 2**31
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr")

_ATTEMPT_SECONDS = 15.0
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0
_SILENCE_SECONDS = 30.0
_STALL_SECONDS = 900.0
# The longest answer that anybody waits for is a manifest of 64 MiB; a machine that lies may not fill our memory.
_MOST_OUTPUT_BYTES = 96 * 1024 * 1024

# paramiko logs every failed attempt with a traceback, and Python prints it where nobody configured logging.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class Session:
    """A connection to one machine. Channels may be used from several threads; close it (or use `with`) when done."""

    def __init__(
        self, transport: paramiko.Transport, endpoint: Endpoint, watch: Watch, tunnel: Tunnel | None = None
    ) -> None:
        self._transport = transport
        self._endpoint = endpoint
        self._watch = watch
        self._tunnel = tunnel
        self._round_trip_seconds = math.inf

    @classmethod
    def connect(
        cls,
        endpoint: Endpoint,
        *,
        deadline_seconds: float,
        progress: Callable[[str], None] | None = None,
        silence_seconds: float = _SILENCE_SECONDS,
    ) -> Session:
        """Connect and sign in, trying again until the deadline: a machine that boots refuses both at first.

        Args:
            endpoint: Where, as whom, and which host keys are accepted.
            deadline_seconds: For how long to try; one attempt is always made.
            progress: Told what is being waited for.
            silence_seconds: An open connection without a sign of life for this long is given up.

        Raises:
            HostKeyChangedError: At once, before we sign in, when the machine shows another key than the pinned ones.
            SignInRefusedError: The machine still refuses our key at the deadline.
            UnreachableError: No connection by the deadline.
            JumpRefusedError: At once, when the jump host is there and does not let us through.
        """
        deadline = time.monotonic() + deadline_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return _open(endpoint, deadline, silence_seconds)
            except (UnreachableError, SignInRefusedError) as error:  # anything else does not pass by itself
                left = deadline - time.monotonic()
                if left <= 0:
                    raise
                if progress:
                    progress(f"waiting for SSH: {error.fact}")
                time.sleep(min(pause, left))
                pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)

    @property
    def endpoint(self) -> Endpoint:
        """Where this session leads."""
        return self._endpoint

    @property
    def host_key(self) -> str:
        """The machine's host key as it was seen and verified: `ssh-ed25519 AAAA…`."""
        return _line(self._transport.get_remote_server_key())

    @property
    def round_trip_seconds(self) -> float:
        """How long the machine took at best to answer; infinite before the first command."""
        return self._round_trip_seconds

    def is_connected(self) -> bool:
        """Ask the machine for a sign of life now."""
        try:
            self._open_channel(10).close()
        except paramiko.ChannelException:
            return True  # a refusal is a sign of life
        except (paramiko.SSHException, OSError, EOFError):
            return False
        return True

    def start(
        self, command: Command, *, timeout_seconds: float | None = None, stall_seconds: float = _STALL_SECONDS
    ) -> RunningCommand:
        """Start `command` and return it while it runs.

        Args:
            command: What to run.
            timeout_seconds: For how long it may run; None sets no limit (a dead connection is noticed anyway).
            stall_seconds: For how long it may neither take nor give a byte.

        Raises:
            UnreachableError: The connection is broken.
        """
        with self._translated():
            channel = self._open_channel(_ATTEMPT_SECONDS)
            channel.exec_command(command.render())
        return RunningCommand(
            channel,
            command,
            translated=self._translated,
            is_connected=self.is_connected,
            timeout_seconds=timeout_seconds,
            stall_seconds=stall_seconds,
        )

    def run(
        self, command: Command, *, stdin: bytes = b"", timeout_seconds: float | None = 60.0, check: bool = True
    ) -> Completed:
        """Run `command` to its end and return everything that it said.

        Raises:
            CommandFailedError: It ended with a non-zero exit code (only with `check`).
            CommandTimeoutError: It did not end in time.
            UnreachableError: The connection broke.
            RemoteError: It said more than any answer has.
        """
        output = bytearray()
        with self.start(command, timeout_seconds=timeout_seconds) as running:
            threading.Thread(target=_feed, args=(running, stdin), name="llamalift-stdin", daemon=True).start()
            while data := running.read():
                output += data
                if len(output) > _MOST_OUTPUT_BYTES:
                    raise RemoteError(
                        f"the machine answers without end, given up after {_MOST_OUTPUT_BYTES} bytes: {command}",
                        hint="is this run's machine still its own? look at it with `llamalift ssh RUN`",
                    )
            exit_code = running.wait()
            if check and exit_code != 0:
                raise running.failure(exit_code)
            return Completed(exit_code, bytes(output), running.stderr)

    def stream(self, command: Command, on_output: Callable[[bytes], None], *, timeout_seconds: float | None) -> int:
        """Run `command`, hand its standard output on as it comes, and return the exit code.

        Raises:
            CommandTimeoutError: It did not end in time.
            UnreachableError: The connection broke.
        """
        with self.start(command, timeout_seconds=timeout_seconds) as running:
            running.close_stdin()
            while data := running.read():
                on_output(data)
            return running.wait()

    def send(self, command: Command, chunks: Iterable[bytes], *, timeout_seconds: float | None = None) -> bytes:
        """Feed `chunks` to a command that reads them all before it says much; returns what it said (at most a window).

        Raises:
            CommandFailedError: It ended with a non-zero exit code.
            CommandTimeoutError: It did not end in time.
            UnreachableError: The connection broke.
        """
        with self.start(command, timeout_seconds=timeout_seconds) as running:
            for chunk in chunks:
                running.write(chunk)
            running.close_stdin()
            output = b"".join(iter(running.read, b""))
            exit_code = running.wait()
            if exit_code != 0:
                raise running.failure(exit_code)
            return output

    def close(self) -> None:
        """Close the connection; what runs on the machine under its own session goes on."""
        self._watch.stop()
        self._transport.close()
        if self._tunnel is not None:
            self._tunnel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_channel(self, timeout_seconds: float) -> paramiko.Channel:
        began = time.monotonic()
        channel = self._transport.open_session(timeout=timeout_seconds)
        # sshd confirms a channel before it does anything for it: one round trip, and none that is made to measure it.
        self._round_trip_seconds = min(self._round_trip_seconds, time.monotonic() - began)
        return channel

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except paramiko.ChannelException as error:
            raise RemoteError(f"the machine refuses another command at the same time: {error.text}") from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise UnreachableError(
                f"the connection to the machine broke: {_where(self._endpoint)}", hint=RECONNECT_HINT
            ) from error


def _feed(running: RunningCommand, data: bytes) -> None:
    # A command may end without reading its input, and a broken connection shows to the reader of the output as well.
    with suppress(RemoteError):
        running.write(data)
        running.close_stdin()


def _open(endpoint: Endpoint, deadline: float, silence_seconds: float) -> Session:
    """One attempt: TCP, key exchange, the host key's check, and only then sign-in."""
    line, tunnel = _line_to(endpoint, max(1.0, min(_ATTEMPT_SECONDS, deadline - time.monotonic())))
    transport = _new_transport(line)
    try:
        _exchange_keys(transport, endpoint)
        _check_host_key(transport.get_remote_server_key(), endpoint)
        _sign_in(transport, endpoint)
    except UnreachableError as error:
        transport.close()
        line.close()
        if tunnel is None:
            raise
        with tunnel:
            raise tunnel.refusal() from error
    except BaseException:
        transport.close()
        line.close()
        if tunnel is not None:
            tunnel.close()
        raise
    watch = Watch(
        line,
        ping=lambda: _ping(transport),
        give_up=transport.close,
        silence_seconds=silence_seconds,
    )
    watch.start()
    return Session(transport, endpoint, watch, tunnel)


def _line_to(endpoint: Endpoint, timeout_seconds: float) -> tuple[WatchedSocket, Tunnel | None]:
    """The line to the machine, and the way through a jump host that it leads by."""
    if not endpoint.jump:
        return _dial(endpoint, timeout_seconds), None
    tunnel = Tunnel.through(endpoint.jump, endpoint.host, endpoint.port)
    return WatchedSocket(tunnel.line), tunnel


def _dial(endpoint: Endpoint, timeout_seconds: float) -> WatchedSocket:
    try:
        connected = socket.create_connection((endpoint.host, endpoint.port), timeout=timeout_seconds)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise UnreachableError(
            f"no connection to {_where(endpoint)}: {reason}",
            hint="is the machine running? `llamalift status RUN` says. "
            "If this computer's address has changed: `llamalift allow-me RUN`",
        ) from error
    return WatchedSocket(connected)


def _new_transport(line: WatchedSocket) -> paramiko.Transport:
    transport = paramiko.Transport(
        line,
        default_window_size=RECEIVE_WINDOW_BYTES,
        default_max_packet_size=_PACKET_BYTES,
    )
    transport.packetizer.REKEY_BYTES = _REKEY_BYTES
    transport.packetizer.REKEY_PACKETS = _REKEY_PACKETS
    transport.banner_timeout = _ATTEMPT_SECONDS
    transport.auth_timeout = _ATTEMPT_SECONDS
    options = transport.get_security_options()
    options.ciphers = _CIPHERS
    options.compression = ("none",)
    return transport


def _exchange_keys(transport: paramiko.Transport, endpoint: Endpoint) -> None:
    """Offer only the pinned keys' algorithms, so that a machine with several host keys shows the one that we know."""
    options = transport.get_security_options()
    pinned = _pinned_algorithms(endpoint)
    options.key_types = tuple(name for name in pinned if name in options.key_types)
    try:
        transport.start_client(timeout=_ATTEMPT_SECONDS)
    except IncompatiblePeer:
        raise _changed(_shown_without_pins(endpoint), endpoint) from None
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise UnreachableError(
            f"no SSH server answers at {_where(endpoint)}: {str(error) or type(error).__name__}",
            hint="a machine that has just been started needs a minute; `llamalift status RUN` shows its console",
        ) from error


def _pinned_algorithms(endpoint: Endpoint) -> tuple[str, ...]:
    if not endpoint.host_keys:
        raise RemoteError(
            f"no host key is known for the machine: {_where(endpoint)}",
            hint="this state folder never provisioned the run; `llamalift resume RUN` goes on where it stands",
        )
    return tuple(dict.fromkeys(name for line in endpoint.host_keys for name in host_key_algorithms(line)))


def _check_host_key(shown: paramiko.PKey, endpoint: Endpoint) -> None:
    if shown.asbytes() not in {public_key_bytes(line) for line in endpoint.host_keys}:
        raise _changed(shown, endpoint)


def _shown_without_pins(endpoint: Endpoint) -> paramiko.PKey:
    """The key that the machine shows when it may choose its type: for the message only, never to sign in."""
    line, tunnel = _line_to(endpoint, _ATTEMPT_SECONDS)
    transport = _new_transport(line)
    try:
        transport.start_client(timeout=_ATTEMPT_SECONDS)
        return transport.get_remote_server_key()
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise RemoteError(f"the SSH server shares no algorithm with us: {_where(endpoint)}") from error
    finally:
        transport.close()
        if tunnel is not None:
            tunnel.close()


def _changed(shown: paramiko.PKey, endpoint: Endpoint) -> HostKeyChangedError:
    known = ", ".join(
        f"{line.split(maxsplit=1)[0]} {fingerprint(public_key_bytes(line))}" for line in endpoint.host_keys
    )
    return HostKeyChangedError(
        f"the machine at {_where(endpoint)} shows a host key that is not this run's (known: {known}): "
        f"{shown.get_name()} {fingerprint(shown.asbytes())}",
        hint="another machine may have taken its address, or someone listens in; nothing was sent. "
        "If nobody rebuilt the machine, delete it with `llamalift down --discard RUN`",
    )


def _sign_in(transport: paramiko.Transport, endpoint: Endpoint) -> None:
    try:
        still_wanted = transport.auth_publickey(endpoint.username, _load_key(endpoint))
    except paramiko.AuthenticationException as error:
        if not transport.is_active():
            raise UnreachableError(f"the connection broke during sign-in: {_where(endpoint)}") from error
        raise _refused(endpoint) from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise UnreachableError(f"the connection broke during sign-in: {_where(endpoint)}") from error
    if still_wanted:
        raise _refused(endpoint)


def _load_key(endpoint: Endpoint) -> paramiko.PKey:
    refuse_exposed(endpoint.key_file)
    try:
        return paramiko.PKey.from_path(endpoint.key_file)
    except (OSError, ValueError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
        raise RemoteError(
            f"the run's private key cannot be read: {endpoint.key_file}",
            hint="without it the machine cannot be reached; `llamalift down --discard RUN` deletes it",
        ) from error


def _refused(endpoint: Endpoint) -> SignInRefusedError:
    return SignInRefusedError(
        f"the machine refuses our key: {endpoint.username}@{_where(endpoint)}",
        hint="its first boot may not be over: `llamalift resume RUN` tries again; a run that another computer has "
        "adopted comes back with `llamalift adopt RUN`",
    )


def _ping(transport: paramiko.Transport) -> None:
    # Any answer will do: OpenSSH refuses the unknown request, and the refusal is the sign of life.
    with suppress(paramiko.SSHException, OSError, EOFError):
        transport.global_request("keepalive@llamalift", wait=True)


def _line(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"


def _where(endpoint: Endpoint) -> str:
    return f"{endpoint.host}:{endpoint.port}"
