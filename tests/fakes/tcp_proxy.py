"""A line to a machine that is long, can be cut after so many bytes, or falls silent; it needs no rights.

`python -m tests.fakes.tcp_proxy PORT --delay SECONDS` is one in a process of its own, which prints its port.
"""

from __future__ import annotations

import argparse
import socket
import struct
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CHUNK_BYTES = 64 * 1024
_DELAYED_CHUNK_BYTES = 256 * 1024

# reset: both sides are told. silent: nobody is, and nothing passes any more. half-open: the machine's side is told.
Cut = Literal["reset", "silent", "half-open"]


class TcpProxy:
    """Forwards connections from its own port to another one of this computer.

    Attributes:
        port: Where it listens.
        cut_after_bytes: End every connection once all together have carried so many bytes in both directions.
        how: What the end is like.
        silent: Swallow everything without a word, in both directions.
        at_bytes: Once so many bytes have been carried, `then` is called, once.
        then: Whatever happens at that point.
        carried_bytes: What all connections carried so far.
    """

    def __init__(self, target_port: int, target_host: str = "127.0.0.1", *, delay_seconds: float = 0.0) -> None:
        self._target = (target_host, target_port)
        self._delay_seconds = delay_seconds
        # Nobody waits in the queue of a listener for a line that was cut.
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self.port: int = self._listener.getsockname()[1]
        self.cut_after_bytes: int | None = None
        self.how: Cut = "reset"
        self.silent = False
        self.at_bytes: int | None = None
        self.then: Callable[[], None] = lambda: None
        self.carried_bytes = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening and drop every connection."""
        # shutdown wakes the accepting thread; close alone would not.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Reset every open connection now."""
        for line in self._open:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()
        self._open.clear()

    def heal(self) -> None:
        """Drop what is left of connections that were cut; new ones are good again."""
        self.cut_after_bytes = self.at_bytes = None
        self.silent = False
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            self._open += [client, server]
            for source, sink in ((client, server), (server, client)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                pump = self._pump_late if self._delay_seconds else self._pump
                threading.Thread(target=pump, args=(source, sink, client), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                if self.silent:
                    continue
                self._count(len(data))
                if self.cut_after_bytes is not None and self.carried_bytes > self.cut_after_bytes:
                    self._end(sink if source is client else source)
                    if self.how == "reset":
                        break
                    continue
                sink.sendall(data)
        if not self.silent:
            _shut(source, sink)

    def _count(self, count: int) -> None:
        with self._lock:
            self.carried_bytes += count
            due = self.at_bytes is not None and self.carried_bytes > self.at_bytes
            if due:
                self.at_bytes = None
        if due:
            self.then()

    def _end(self, server: socket.socket) -> None:
        self.silent = self.how != "reset"
        if self.how == "half-open":
            _shut(server)
        if self.how == "reset":
            for line in self._open:
                # An RST instead of a FIN, so that nobody takes it for a goodbye.
                with suppress(OSError):
                    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _pump_late(self, source: socket.socket, sink: socket.socket, _client: socket.socket) -> None:
        """A delay line: what comes goes on after the delay, however much is under way."""
        under_way: deque[tuple[float, bytes]] = deque()
        changed = threading.Condition()

        def deliver() -> None:
            with suppress(OSError):
                while True:
                    with changed:
                        changed.wait_for(lambda: under_way)
                        due, data = under_way.popleft()
                    time.sleep(max(0.0, due - time.monotonic()))
                    if not data:
                        break
                    sink.sendall(data)
            with suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

        threading.Thread(target=deliver, daemon=True).start()
        data = b"x"
        while data:
            try:
                data = source.recv(_DELAYED_CHUNK_BYTES)
            except OSError:
                data = b""
            with changed:
                under_way.append((time.monotonic() + self._delay_seconds, data))
                changed.notify()


def _shut(*lines: socket.socket) -> None:
    for line in lines:
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)


@contextmanager
def tcp_proxy(target_port: int, target_host: str = "127.0.0.1", *, delay_seconds: float = 0.0) -> Iterator[TcpProxy]:
    """A proxy to `target_port` until the block ends."""
    proxy = TcpProxy(target_port, target_host, delay_seconds=delay_seconds)
    try:
        yield proxy
    finally:
        proxy.close()


def main() -> None:
    """Be a long line until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--delay", type=float, required=True, help="seconds in each direction")
    arguments = parser.parse_args()
    proxy = TcpProxy(arguments.port, delay_seconds=arguments.delay)
    print(proxy.port, flush=True)  # noqa: T201 - whoever started it reads the port
    with suppress(EOFError):
        input()
    proxy.close()


if __name__ == "__main__":
    main()
