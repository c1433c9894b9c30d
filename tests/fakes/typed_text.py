"""Somebody at a terminal: sees what a command prints, and types an answer when a question comes up."""

from __future__ import annotations

import os
import pty
import select
import struct
import subprocess
import termios
import time
from dataclasses import dataclass
from fcntl import ioctl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Talk:
    """What was seen on the terminal, and the exit code."""

    seen: str
    returncode: int


def talk(
    argv: Sequence[str | Path],
    answers: Sequence[tuple[str, str]],
    *,
    environment: Mapping[str, str],
    folder: Path,
    columns: int = 100,
    seconds: float = 120,
) -> Talk:
    """Run a command on a terminal to its end; each answer is typed when its question has been seen.

    Args:
        argv: The command.
        answers: Questions (a part of their words) with what is typed, in order.
        environment: Variables beside this process's own.
        folder: Where it is run.
        columns: Width of the terminal.
        seconds: When to give up.
    """
    primary, secondary = pty.openpty()
    ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        argv, env={**os.environ, "TERM": "xterm", **environment}, cwd=folder, stdin=secondary, stdout=secondary,
        stderr=secondary, start_new_session=True,
    )  # fmt: skip
    os.close(secondary)
    seen, unread, left, deadline = "", "", list(answers), time.monotonic() + seconds
    try:
        while True:
            assert time.monotonic() < deadline, seen
            piece = _read(primary)
            if piece is None:
                break
            seen, unread = seen + piece, unread + piece
            if left and left[0][0] in unread:
                os.write(primary, left.pop(0)[1].encode())
                unread = ""
        assert not left, seen
        return Talk(seen.replace("\r\n", "\n"), process.wait(timeout=10))
    finally:
        process.kill()
        process.wait()
        os.close(primary)


def _read(descriptor: int) -> str | None:
    """What has come, empty after a second of silence; None when the other side has closed."""
    ready, _, _ = select.select([descriptor], [], [], 1)
    if not ready:
        return ""
    try:
        return os.read(descriptor, 4096).decode(errors="replace") or None
    except OSError:
        return None
