"""The training environment on the machine: made once per lock, shared by all runs on the same workspace."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from remote.command import Command, Script
from remote.errors import SetupError
from remote.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from remote.layout import RunLayout
    from remote.session import Session

# The uv that made the CUDA lock; the lock's hashes make any other one's result the same.
UV_VERSION = "0.13.9"
OLDEST_PYTHON = (3, 11)
_INSTALL_SECONDS = 2 * 3600.0


def install_environment(
    session: Session, layout: RunLayout, lock: bytes, *, gpu: bool, progress: Callable[[str], None] | None = None
) -> str:
    """Make the environment of `lock` on the machine, unless it is complete; returns its python.

    A CUDA lock is installed by uv with hashes, a CPU lock by pip. A broken connection does not stop the installation;
    calling again waits for it. Two machines that share the folder take turns.

    Args:
        session: The machine.
        layout: Where its workspace is.
        lock: The pinned requirements, as a requirements file.
        gpu: The lock is for CUDA.
        progress: Told what the installer does, line by line.

    Raises:
        SetupError: It could not be made; the installer's last words are in the message.
        UnreachableError: The connection broke.
    """
    folder = layout.environment(lock)
    request = {
        "folder": folder,
        "lock": lock.decode(),
        "tool": "uv" if gpu else "pip",
        "uv_version": UV_VERSION,
        "oldest_python": OLDEST_PYTHON,
    }
    said = _Lines(progress)
    command = Command.of("python3", "-X", "utf8", "-c", _program())
    with session.start(command, timeout_seconds=_INSTALL_SECONDS, stall_seconds=_INSTALL_SECONDS) as running:
        running.write(json.dumps(request).encode())
        running.close_stdin()
        while data := running.read():
            said.take(data)
        if running.wait() != 0:
            raise SetupError(
                f"the training environment could not be made: {said.last}",
                hint=f"the installer's whole output is on the machine: {folder}.log",
            )
    return f"{folder}/bin/python"


class _Lines:
    """Splits a program's output into lines for the user and remembers the last one."""

    def __init__(self, progress: Callable[[str], None] | None) -> None:
        self._progress = progress
        self._rest = b""
        self.last = "the installer said nothing"

    def take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.last = printable(line.decode(errors="replace")).strip()
            if self._progress:
                self._progress(self.last[:100])


@cache
def _program() -> Script:
    return Script("install.py", files("templates.environment").joinpath("install.py").read_text(encoding="utf-8"))
