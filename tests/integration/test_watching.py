"""`llamalift status --watch` on a real terminal: no flicker, a resize, a usable line in the end."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import pytest

from tests.fakes.lived_runs import RUN_ID, lived_run
from tests.fakes.terminal import LLAMALIFT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_DEADLINE_SECONDS = 60.0
_CLEARS_SCREEN = b"\x1b[2J"
_HOME, _OTHER_SCREEN, _BACK = b"\x1b[H", b"\x1b[?1049h", b"\x1b[?1049l"


@dataclass(slots=True)
class Pty:
    """A command on a terminal of its own."""

    process: subprocess.Popen[bytes]
    master: int
    out: bytearray = field(default_factory=bytearray)

    @classmethod
    def start(cls, *words: str, state: Path, columns: int = 100, rows: int = 30) -> Self:
        """Start it in a terminal of that size."""
        master, slave = pty.openpty()
        resize(master, columns, rows)
        environment = {**os.environ, "LLAMALIFT_STATE_DIR": str(state), "TERM": "xterm-256color"}
        environment.pop("COLUMNS", None)
        process = subprocess.Popen(
            [LLAMALIFT, *words], stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)
        return cls(process, master)

    def read_until(self, found: Callable[[bytes], bool], what: str) -> None:
        """Read what it draws until that is there."""
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not found(bytes(self.out)):
            assert time.monotonic() < deadline, f"waited for {what}: {bytes(self.out)[-500:]!r}"
            if select.select([self.master], [], [], 0.5)[0]:
                self.out += os.read(self.master, 65536)

    def interrupt(self) -> int:
        """Ctrl-C; gives the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.read_until(lambda out: _BACK in out and out.split(_BACK)[-1].endswith(b"\n"), "its last line")
        code = self.process.wait(_DEADLINE_SECONDS)
        os.close(self.master)
        return code


def resize(terminal: int, columns: int, rows: int) -> None:
    """Give a terminal another size."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def widest(frame: bytes) -> int:
    """Columns of the widest line of what was drawn."""
    text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", frame).decode(errors="replace")
    return max(len(line) for line in text.replace("\r", "").split("\n"))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with a run whose machine is gone, and that still owns its disk as far as the journal knows."""
    run = lived_run(tmp_path, ended=True)
    run.journal.set_run_state(RUN_ID, type(run.row.state)("active"))
    return tmp_path


def test_it_draws_over_itself_follows_a_resize_and_leaves_a_line(state: Path) -> None:
    """On a screen of its own, never cleared between frames; what was there before comes back."""
    watched = Pty.start("status", RUN_ID, "--watch", state=state)
    watched.read_until(lambda out: out.count(_HOME) > 3 and b"Ctrl-C ends watching" in out, "some frames")
    assert watched.out.count(_OTHER_SCREEN) == 1
    assert _CLEARS_SCREEN not in watched.out
    assert widest(bytes(watched.out).rsplit(_HOME, 2)[1]) == 100
    resize(watched.master, 70, 20)
    watched.process.send_signal(signal.SIGWINCH)
    watched.read_until(lambda out: out.count(_HOME) > 4 and widest(out.rsplit(_HOME, 2)[1]) == 70, "a narrower frame")
    assert watched.interrupt() == 0
    after = watched.out.split(_BACK)[-1].decode()
    assert re.search(rf"{RUN_ID}: teardown done", after)


def test_into_a_pipe_it_writes_a_line_when_something_changes(state: Path) -> None:
    """Or, with --json, an object for each look, at once and whole."""
    environment = {**os.environ, "LLAMALIFT_STATE_DIR": str(state)}
    words = [str(LLAMALIFT), "status", RUN_ID, "--watch", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment, start_new_session=True) as process:
        assert process.stdout is not None
        told = [json.loads(process.stdout.readline()) for _ in range(2)]
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(_DEADLINE_SECONDS) == 0
    assert [one["row"]["run_id"] for one in told] == [RUN_ID, RUN_ID]
    assert told[0]["trainings"][0]["newest"]["mfu"] == 0.41
