"""The program in front of a job with secrets: nothing but the log is different."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT
from tests.fakes.terminal import wait_until

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "hf_planted0123456789secret"


def start(log: Path, script: str) -> subprocess.Popen[bytes]:
    """A program of one line behind the masking, as the agent starts it."""
    argv = [sys.executable, "-m", "templates.training.masked", "HF_TOKEN,OTHER", sys.executable, "-uc", script]
    environment = {**os.environ, "HF_TOKEN": TOKEN, "PYTHONPATH": str(ROOT)}
    with log.open("ab") as output:
        return subprocess.Popen(
            argv, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=ROOT, start_new_session=True
        )


def test_the_log_holds_no_secret_and_everything_else(tmp_path: Path) -> None:
    """Printed at once, in two halves, encoded, on standard error: stars; all other output in its order."""
    log = tmp_path / "log"
    script = (
        "import os, sys, time, base64; t = os.environ['HF_TOKEN']; print('begin', t); sys.stderr.write(t + '\\n');"
        "sys.stdout.write(t[:9]); sys.stdout.flush(); time.sleep(0.3); print(t[9:]);"
        "print(base64.b64encode(b'user:' + t.encode()).decode()); print('x' * 300000); sys.exit(7)"
    )
    assert start(log, script).wait(60) == 7
    text = log.read_text()
    assert TOKEN not in text
    assert "hf_pl" not in text
    stars = "*" * len(TOKEN)
    assert text.startswith(f"begin {stars}\n{stars}\n{stars}\n")
    assert text.endswith("x" * 300_000 + "\n")
    assert text.splitlines()[3].count("*") > 20


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_program_that_dies_of_a_signal_is_seen_to(tmp_path: Path, how: signal.Signals) -> None:
    """The agent tells a kill for lack of memory by it."""
    script = f"import os; print('last words'); os.kill(os.getpid(), {int(how)})"
    assert start(tmp_path / "log", script).wait(60) == -how
    assert (tmp_path / "log").read_text() == "last words\n"


def test_a_request_to_leave_reaches_the_program(tmp_path: Path) -> None:
    """SIGTERM to the one whom the agent started is the trainer's to answer: it saves, and ends as it likes."""
    log = tmp_path / "log"
    script = (
        "import signal, sys, time\n"
        "def leave(*_): print('saved'); sys.exit(3)\n"
        "signal.signal(signal.SIGTERM, leave); print('ready')\n"
        "while True: time.sleep(0.05)"
    )
    process = start(log, script)
    wait_until(lambda: "ready" in log.read_text() or None, "the program", seconds=60)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 3
    assert log.read_text() == "ready\nsaved\n"


def test_what_outlives_the_program_does_not_hold_its_end_back(tmp_path: Path) -> None:
    """A process that keeps the output open is the agent's to end; the step is over all the same."""
    script = "import subprocess; print(subprocess.Popen(['sleep', '60']).pid)"
    began = time.monotonic()
    assert start(tmp_path / "log", script).wait(60) == 0
    assert time.monotonic() - began < 30
    os.kill(int((tmp_path / "log").read_text()), signal.SIGKILL)
