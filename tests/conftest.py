"""What several tests share."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.training_run import TrainingRun

ROOT = Path(__file__).resolve().parents[1]

# Nobody listens there: tests that plan a model of the Hub must not ask the real one.
os.environ.setdefault("HF_ENDPOINT", "http://127.0.0.1:9")

# A shell that starts the tests in the background has them ignore Ctrl-C, and the commands that they try inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more of the machine than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def utc() -> Iterator[None]:
    """Local time is UTC: what screens show of it is the same on every computer."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.fixture(scope="session")
def machine_python() -> Path:
    """The Python of a machine's training environment: LLAMALIFT_TEST_ENV_PYTHON, or made from the CPU lock, once."""
    given = os.environ.get("LLAMALIFT_TEST_ENV_PYTHON")
    if given:
        return Path(given)
    lock = ROOT / "templates" / "environment" / "cpu.lock.txt"
    environment = ROOT / ".work" / "env" / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    environment.parent.mkdir(parents=True, exist_ok=True)
    # Two test processes may want it at the same time.
    with environment.with_suffix(".lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (environment / ".complete").exists():
            _make(environment, lock)
    return environment / "bin" / "python"


@pytest.fixture(scope="session")
def finished(machine_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], TrainingRun]:
    """Give the uninterrupted run of a DeepSpeed configuration, trained once; others only look at it."""
    from tests.fakes.training_run import FLAGS, TrainingRun

    runs: dict[str, TrainingRun] = {}

    def run_of(deepspeed: str) -> TrainingRun:
        if deepspeed not in runs:
            folder = tmp_path_factory.mktemp(deepspeed) / "run"
            run = TrainingRun.prepare(folder, machine_python, deepspeed)
            assert run.train(FLAGS) == 0, run.log()
            runs[deepspeed] = run
        return runs[deepspeed]

    return run_of


def _make(environment: Path, lock: Path) -> None:
    shutil.rmtree(environment, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    install = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(lock)]
    subprocess.run(install, check=True, env=os.environ | {"DS_BUILD_OPS": "0", "DS_ACCELERATOR": "cpu"})
    (environment / ".complete").touch()
