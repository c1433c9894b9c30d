"""How the launchers of several machines begin an attempt together and end it together. Standard library only.

The first machine's launcher opens a door at a known port; each other one knocks until it is let in. When all are there,
everybody is told the attempt's name and a fresh port for torchrun, and the door is closed: a launcher that was started
again finds it open only when a new attempt begins. The lines stay: one that breaks without a goodbye says that the
launcher, or its whole machine, has gone, and that nobody shall wait for it inside a collective.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import threading
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# A machine that lost its power says nothing: after so much silence the kernel asks, and asks again.
_SILENT_SECONDS, _ASK_SECONDS, _ASKED_TIMES = 15, 5, 3
_KNOCK_SECONDS = 0.5
_LONGEST_LINE_BYTES = 4096
_GOODBYE = b"goodbye\n"


class NobodyCameError(Exception):
    """The other machines did not come; the text says which."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What all launchers know once they have met.

    Attributes:
        name: The attempt's, the same everywhere and never used again.
        port: Where torchrun's own rendezvous is, on the first machine.
        address: This machine's address among the others.
        halvings: How often the rows in memory at once are halved: the most that any machine wants.
    """

    name: str
    port: int
    address: str
    halvings: int = 0


class Lines:
    """The open lines of an attempt: one to each other machine on the first, one to the first on the others."""

    def __init__(self, attempt: Attempt, lines: Mapping[int, socket.socket]) -> None:
        """Hold `lines`, each by the number of the machine at its other end."""
        self.attempt = attempt
        self.lost: int | None = None
        self._lines = dict(lines)
        self._is_over = False
        self._bell: socket.socket | None = None

    def watch(self, when_lost: Callable[[int], None]) -> None:
        """Call `when_lost` once, with the machine's number, when a line breaks before its goodbye."""
        # Here and not in the thread: the attempt may be over before that begins.
        selector = selectors.DefaultSelector()
        for number, line in self._lines.items():
            line.settimeout(None)
            selector.register(line, selectors.EVENT_READ, number)
        # Who waits for a line is not woken when it is closed on this side.
        heard, self._bell = socket.socketpair()
        selector.register(heard, selectors.EVENT_READ)
        threading.Thread(target=self._watch, args=(selector, heard, when_lost), name="meeting", daemon=True).start()

    def close(self, *, in_order: bool) -> None:
        """End the lines; `in_order` says goodbye, so that nobody ends its work for that."""
        self._is_over = True
        for line in self._lines.values():
            with contextlib.suppress(OSError):
                if in_order:
                    line.sendall(_GOODBYE)
                line.close()
        if self._bell is not None:
            self._bell.close()

    def _watch(self, selector: selectors.BaseSelector, heard: socket.socket, when_lost: Callable[[int], None]) -> None:
        with selector, heard:
            while True:
                for key, _ in selector.select():
                    said = _received(key.fileobj)  # type: ignore[arg-type]  # what was registered: sockets
                    if self._is_over:
                        return
                    selector.unregister(key.fileobj)
                    if said != _GOODBYE:
                        self.lost = key.data
                        when_lost(key.data)
                        return


def meet(node: int, nodes: int, address: str, port: int, *, patience_seconds: float, halvings: int = 0) -> Lines:
    """Wait for the other machines' launchers.

    Args:
        node: This machine's number, from 0; 0 opens the door.
        nodes: How many there are.
        address: The first machine's address.
        port: The door.
        patience_seconds: How long to wait for the others: one that is started again boots for minutes.
        halvings: How often this machine's agent wants the rows in memory at once to be halved.

    Raises:
        NobodyCameError: They did not come in time.
        OSError: The first machine cannot open the door.
    """
    deadline = time.monotonic() + patience_seconds
    if node == 0:
        return _receive_all(nodes, address, port, deadline, halvings)
    return _knock({"node": node, "halvings": halvings}, address, port, deadline)


def _receive_all(nodes: int, address: str, port: int, deadline: float, halvings: int) -> Lines:
    lines: dict[int, socket.socket] = {}
    wanted = {0: halvings}
    with socket.create_server((address, port), reuse_port=False) as door:
        while missing := [number for number in range(1, nodes) if number not in lines]:
            left = deadline - time.monotonic()
            if left <= 0:
                raise NobodyCameError(f"machines that did not come: {', '.join(str(one + 1) for one in missing)}")
            door.settimeout(min(left, _KNOCK_SECONDS))
            with contextlib.suppress(TimeoutError):
                _let_in(door.accept()[0], lines, wanted, nodes)
            for number in [number for number, line in lines.items() if _has_gone(line)]:
                lines.pop(number).close()
    attempt = Attempt(uuid.uuid4().hex, _free_port(address), address, max(wanted.values()))
    told = {"name": attempt.name, "port": attempt.port, "halvings": attempt.halvings}
    word = json.dumps(told).encode() + b"\n"
    for line in lines.values():
        # One that has gone meanwhile is noticed by the watch.
        with contextlib.suppress(OSError):
            line.sendall(word)
    return Lines(attempt, lines)


def _let_in(line: socket.socket, lines: dict[int, socket.socket], wanted: dict[int, int], nodes: int) -> None:
    line.settimeout(_KNOCK_SECONDS * 10)
    try:
        said = json.loads(_received(line))
        number, halvings = int(said["node"]), int(said["halvings"])
    except (OSError, ValueError, KeyError, TypeError):
        line.close()
        return
    if not 0 < number < nodes:
        line.close()
        return
    if former := lines.pop(number, None):
        former.close()
    lines[number], wanted[number] = _kept_alive(line), halvings


def _knock(words: Mapping[str, int], address: str, port: int, deadline: float) -> Lines:
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError, KeyError):
            line = _kept_alive(socket.create_connection((address, port), timeout=_KNOCK_SECONDS * 10))
            line.sendall(json.dumps(words).encode() + b"\n")
            line.settimeout(max(_KNOCK_SECONDS, deadline - time.monotonic()))
            word: dict[str, Any] = json.loads(_received(line))
            here = str(line.getsockname()[0])
            return Lines(Attempt(str(word["name"]), int(word["port"]), here, int(word["halvings"])), {0: line})
        time.sleep(_KNOCK_SECONDS)
    raise NobodyCameError(f"the first machine opened no door at {address}, port: {port}")


def _received(line: socket.socket) -> bytes:
    """One line of text; shorter where the other side ended, or this one closed the line meanwhile."""
    said = b""
    with contextlib.suppress(OSError):
        while not said.endswith(b"\n") and len(said) < _LONGEST_LINE_BYTES:
            piece = line.recv(_LONGEST_LINE_BYTES)
            if not piece:
                break
            said += piece
    return said


def _has_gone(line: socket.socket) -> bool:
    line.settimeout(0.0)
    try:
        return line.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        line.settimeout(None)


def _kept_alive(line: socket.socket) -> socket.socket:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", _SILENT_SECONDS), ("TCP_KEEPINTVL", _ASK_SECONDS), ("TCP_KEEPCNT", _ASKED_TIMES),
    ):  # fmt: skip
        if hasattr(socket, option):
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return line


def _free_port(address: str) -> int:
    with socket.create_server((address, 0)) as probe:
        return int(probe.getsockname()[1])
