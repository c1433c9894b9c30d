"""Processes of a training that must not outlive, or overtake, each other: without torch, as processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from templates.training import fence
from templates.training.errors import BusyError
from tests.fakes.agent_run import is_running

if TYPE_CHECKING:
    from pathlib import Path

# A launcher with one worker in a session of its own; both say who they are, then wait.
_WORKER = """
import os, sys, time
from templates.training.orphans import die_with_launcher
die_with_launcher()
print(os.getpid(), flush=True)
time.sleep(600)
"""
_LAUNCHER = """
import os, subprocess, sys
os.environ['LLAMALIFT_LAUNCHER_PID'] = str(os.getpid())
subprocess.Popen([sys.executable, '-c', sys.argv[1]], start_new_session=True).wait()
"""
_LISTENER = """
import os, signal, sys, threading
from templates.training import orphans
orphans._LAST_WORDS_SECONDS = 0.1
signal.signal(signal.SIGTERM, lambda *_: None)
orphans.leave_with_peers()
print('ready', flush=True)
# Like a wait inside a library: no handler of Python's runs meanwhile, and none ends it.
while True:
    signal.pthread_sigmask(signal.SIG_BLOCK, [])
    threading.Event().wait()
"""


def test_a_worker_ends_with_its_launcher() -> None:
    """Kill -9 of the launcher ends a worker that has a session of its own, before it can do anything more."""
    launcher = subprocess.Popen(
        [sys.executable, "-c", _LAUNCHER, _WORKER], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    assert launcher.stdout is not None
    worker = int(launcher.stdout.readline())
    launcher.kill()
    launcher.wait()
    # The worker holds the other end: it is gone when nothing more can come.
    assert launcher.stdout.read() == b""
    launcher.stdout.close()
    assert not is_running(worker)


def test_a_worker_that_starts_after_its_launcher_has_gone_ends_at_once() -> None:
    """Its parent is another one already."""
    environment = os.environ | {"LLAMALIFT_LAUNCHER_PID": "1"}
    done = subprocess.run([sys.executable, "-c", _WORKER], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"")


def test_what_a_worker_starts_may_die_with_the_worker_instead() -> None:
    """Its parent is not the launcher, whose name it inherits all the same."""
    code = "from templates.training.orphans import die_with_parent; die_with_parent(); print('lives')"
    environment = os.environ | {"LLAMALIFT_LAUNCHER_PID": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, b"lives")


@pytest.mark.parametrize("asked", [True, False])
def test_a_worker_that_waits_for_a_dead_peer_is_ended(tmp_path: Path, asked: bool) -> None:  # noqa: FBT001 - a parameter
    """SIGTERM means that a peer has failed, unless somebody has asked the launcher to leave: then it may save."""
    flag = tmp_path / "asked-to-leave"
    if asked:
        flag.touch()
    worker = subprocess.Popen(
        [sys.executable, "-c", _LISTENER],
        env=os.environ | {"LLAMALIFT_LEAVE_FLAG": str(flag)},
        stdout=subprocess.PIPE,
    )
    assert worker.stdout is not None
    worker.stdout.readline()
    worker.send_signal(signal.SIGTERM)
    if asked:
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(1.0)
        worker.kill()
    assert worker.wait(30) == (-signal.SIGKILL if asked else 128 + signal.SIGTERM)
    worker.stdout.close()


def test_two_attempts_never_hold_a_run_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next begins when the last process of the one before has let go; a straggler of that one is turned away."""
    monkeypatch.setenv("LLAMALIFT_RUN_DIR", str(tmp_path))
    # So that what `take` sets is taken back.
    monkeypatch.setenv("LLAMALIFT_FENCE", "")
    launcher = fence.take(0)
    assert launcher is not None
    first_name = os.environ["LLAMALIFT_FENCE"]
    worker = fence.join()
    assert worker is not None
    launcher.close()
    began = time.monotonic()
    with pytest.raises(BusyError, match=r"attempt\.lock"):
        fence.take(0.2)
    assert time.monotonic() - began < 20
    worker.close()
    second = fence.take(0)
    assert second is not None
    monkeypatch.setenv("LLAMALIFT_FENCE", first_name)
    with pytest.raises(BusyError, match="another attempt has begun"):
        fence.join()
    second.close()


def test_without_a_run_folder_there_is_no_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainer can be started by hand."""
    for name in ("LLAMALIFT_RUN_DIR", "LLAMALIFT_FENCE"):
        monkeypatch.delenv(name, raising=False)
    assert fence.take(0) is None
    assert fence.join() is None
