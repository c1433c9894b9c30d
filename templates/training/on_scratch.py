"""Starts a program on a machine whose scratch is ready: local disks come back empty, or unmounted, at each start.

`python -m templates.training.on_scratch --mount /scratch -- PROGRAM …` makes and mounts scratch where the machine has
local disks, adds `--llamalift_scratch FOLDER` to the program's words, and becomes the program. Without such disks, or
when they cannot be had, the program starts as it is. Standard library only.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from templates.training.metrics import Metrics
from templates.training.scratch_disk import has_local_disks

if TYPE_CHECKING:
    from collections.abc import Callable

# A machine of the rehearsal says where its scratch is, since it has no disks of its own.
SCRATCH_VARIABLE = "LLAMALIFT_SCRATCH"
_LOCAL_MACHINE_VARIABLE = "LLAMALIFT_LOCAL_MACHINE"
_MAKING_SECONDS = 300


def find_scratch(mount: Path, note: Callable[[str], None]) -> Path | None:
    """The machine's scratch folder, made ready; None where there is none.

    Args:
        mount: Where it is mounted.
        note: Told what the user should know of it.
    """
    given = os.environ.get(SCRATCH_VARIABLE)
    if given or os.environ.get(_LOCAL_MACHINE_VARIABLE):
        return Path(given) if given and Path(given).is_dir() else None
    return _make(mount, note) if has_local_disks() else None


def _make(mount: Path, note: Callable[[str], None]) -> Path | None:
    program = [sys.executable, "-m", "templates.training.scratch_disk"]
    words = ["--mount", str(mount), "--owner", getpass.getuser()]
    # `env` behind sudo, which lets no variable of ours through.
    argv = ["sudo", "-n", "env", f"PYTHONPATH={os.environ.get('PYTHONPATH', '')}", *program, *words]
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, check=True, timeout=_MAKING_SECONDS)
        answer = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        note(f"no scratch, checkpoints go straight to the workspace: {error}")
        return None
    for line in answer["notes"]:
        note(line)
    return None if answer["mounted"] is None else Path(answer["mounted"])


def main(argv: list[str]) -> None:
    """Find scratch, then become the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mount", type=Path, required=True, help="Where scratch is mounted.")
    parser.add_argument("program", nargs="+", help="The program and its words, after --.")
    asked = parser.parse_args(argv)
    run_folder = Path(os.environ.get("LLAMALIFT_RUN_DIR", "."))
    scratch = find_scratch(asked.mount, Metrics(run_folder / "metrics.jsonl").note)
    words = list(asked.program)
    if scratch is not None:
        words += ["--llamalift_scratch", str(scratch / "llamalift" / run_folder.resolve().name)]
    os.execvp(words[0], words)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
