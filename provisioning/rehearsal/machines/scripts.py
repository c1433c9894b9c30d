"""Runs a shell script on a machine without its network, as the agent on every Azure machine does.

The machine's lifeline carries the path of what to run. The script and all that it prints are files on the machine's own
disk, so that both ways of booting need no more than that line.
"""

from __future__ import annotations

import os
import shlex
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provisioning.errors import RehearsalError
from provisioning.rehearsal.machines import processes
from provisioning.rehearsal.machines.spec import MachineKind

if TYPE_CHECKING:
    from provisioning.rehearsal.machines.spec import RunningMachine

_INSIDE = Path("/run/machine")
_SECONDS = 600.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """What a script printed, and how it ended."""

    exit_code: int
    stdout: bytes
    stderr: bytes


def run_script(machine: RunningMachine, script: str) -> ScriptResult:
    """Run `script` with everything that the machine's own user may do there, which is all that there is.

    Raises:
        RehearsalError: The machine ended first, the script did not end within ten minutes, or there is no process.
    """
    if machine.kind is MachineKind.NONE:
        raise RehearsalError("a machine that boots nothing runs no script")
    name = f"script-{uuid.uuid4().hex}"
    folder = machine.programs / name
    seen_inside = _INSIDE / name if machine.kind is MachineKind.SANDBOX else folder
    folder.mkdir(mode=0o700)
    try:
        (folder / "script").write_text(script)
        (folder / "run").write_text(_runner(seen_inside))
        _hand_over(machine, seen_inside / "run")
        return _wait_for_the_end(machine, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _runner(folder: Path) -> str:
    """The exit code appears whole, and when all output is there."""
    script, out, err, draft, code = (
        shlex.quote(str(folder / name)) for name in ("script", "stdout", "stderr", "exit-code.part", "exit-code")
    )
    return f"cd /\n/bin/sh {script} >{out} 2>{err} </dev/null\necho $? >{draft}\nmv {draft} {code}\n"


def _hand_over(machine: RunningMachine, path: Path) -> None:
    held = processes.held(machine.pid)
    if held is None or held.process.stdin is None:
        raise RehearsalError(f"the machine does not run, pid: {machine.pid}")
    try:
        os.write(held.process.stdin.fileno(), os.fsencode(path) + b"\n")
    except OSError as error:
        raise RehearsalError(f"the machine does not listen to its lifeline, pid: {machine.pid}") from error


def _wait_for_the_end(machine: RunningMachine, folder: Path) -> ScriptResult:
    deadline = time.monotonic() + _SECONDS
    while not (folder / "exit-code").exists():
        held = processes.held(machine.pid)
        if held is None or held.process.poll() is not None:
            raise RehearsalError(f"the machine ended while a script ran, pid: {machine.pid}")
        if time.monotonic() > deadline:
            raise RehearsalError(f"the script did not end, seconds waited: {_SECONDS:.0f}")
        time.sleep(_POLL_SECONDS)
    code = int((folder / "exit-code").read_text())
    return ScriptResult(code, (folder / "stdout").read_bytes(), (folder / "stderr").read_bytes())
