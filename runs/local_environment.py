"""The training environment on this computer: what asks and scores models at home needs torch, which the client lacks.

It is the machines' own, from the same lock, by the same installer; made on first use, beside the one of the rehearsal.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from remote.environment import OLDEST_PYTHON, UV_VERSION
from runs.errors import ProgramFailedError
from templates.environment import lock_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from runs.state_folder import StateFolder

# The rehearsal cloud's word for the same: environments are shared where it is set.
_CACHE_VARIABLE = "LLAMALIFT_ENVIRONMENT_CACHE"
_GIGABYTES = {False: 2, True: 12}


def environment_folder(state: StateFolder) -> Path:
    """Where the environment for this computer is, or will be: its lock decides the name."""
    cache = Path(os.environ.get(_CACHE_VARIABLE) or state.root / "rehearsal" / "environment")
    return cache.absolute() / hashlib.sha256(lock_for(gpu=has_gpu())).hexdigest()[:16]


def has_gpu() -> bool:
    """Whether this computer has a GPU that training environments can use."""
    return shutil.which("nvidia-smi") is not None and _succeeds(["nvidia-smi", "-L"])


def local_python(state: StateFolder, say: Callable[[str], None]) -> Path:
    """Give a Python with the training environment on this computer, making that on first use.

    Args:
        state: Whose environment.
        say: Told what will be done before it is, and then the installer's lines.

    Raises:
        ProgramFailedError: It cannot be made here.
    """
    folder, gpu = environment_folder(state), has_gpu()
    python = folder / "bin" / "python"
    if (folder / ".complete").is_file() and _succeeds([str(python), "-c", ""]):
        return python
    say(f"making the training environment, once: about {_GIGABYTES[gpu]} GB in {folder}")
    request = {
        "folder": str(folder),
        "lock": lock_for(gpu=gpu).decode(),
        "tool": "uv" if gpu else "pip",
        "uv_version": UV_VERSION,
        "oldest_python": OLDEST_PYTHON,
    }
    program = files("templates.environment").joinpath("install.py").read_text(encoding="utf-8")
    argv = [sys.executable, "-X", "utf8", "-c", program]
    last = "the installer said nothing"
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(json.dumps(request))
        process.stdin.close()
        for line in process.stdout:
            last = line.strip() or last
            say(last)
    if process.returncode:
        raise ProgramFailedError(
            f"the training environment could not be made: {last}",
            hint=f"see {folder}.log, or name another Python that has torch and transformers with `--python`",
        )
    return python


def _succeeds(argv: list[str]) -> bool:
    try:
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
