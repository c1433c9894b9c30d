"""The machine around the run: its files under one root, its programs by their names, each call logged."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from templates.agent.errors import SystemCommandError


def system_path(path: str) -> Path:
    """`path` (absolute); LLAMALIFT_ROOT moves it under another folder, for trials on a machine that must not change."""
    return Path(os.environ.get("LLAMALIFT_ROOT", "/")) / path.lstrip("/")


def call(*argv: str, accept: tuple[int, ...] = (0,), quiet: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a program without input; what was run and how it ended goes to stderr (the console and cloud-init's log).

    Raises:
        SystemCommandError: It cannot be found, or its exit code is not in `accept`.
    """
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise SystemCommandError(f"cannot run {argv[0]}: {error}") from error
    said = "" if quiet else f" {(done.stdout + done.stderr).strip()}"
    print(f"llamalift: {shlex.join(argv)}: {done.returncode}{said}", file=sys.stderr, flush=True)  # noqa: T201 - the log
    if done.returncode not in accept:
        raise SystemCommandError(f"{shlex.join(argv)} failed: {done.stderr.strip() or done.returncode}")
    return done
