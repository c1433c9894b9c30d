"""What several tests share."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

# How long an example takes says more of the machine than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


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


def _make(environment: Path, lock: Path) -> None:
    shutil.rmtree(environment, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    install = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(lock)]
    subprocess.run(install, check=True, env=os.environ | {"DS_BUILD_OPS": "0", "DS_ACCELERATOR": "cpu"})
    (environment / ".complete").touch()
