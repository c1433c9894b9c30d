"""The drain program, killed at every step that it takes on a disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# Links, staging, copying four files, manifest, renaming, pruning.
_LEAST_POINTS = 60
_MEMORY = Path("/dev/shm")


def test_killed_anywhere_the_next_drain_ends_well(tmp_path: Path) -> None:
    """No kill leaves half of a checkpoint under its name or loses an older one; the next drain makes it whole."""
    # A killed process loses nothing that it has written: a file system in memory tells as much as a slow disk.
    parent = _MEMORY if os.access(_MEMORY, os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        argv = [sys.executable, "-m", "tests.fakes.drain_until_killed", folder]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["wrong"] == []
    assert said["points"] >= _LEAST_POINTS
