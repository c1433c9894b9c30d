"""What it takes to ask how all runs are, by the number of runs: calls, time and memory.

One real run is made on a rehearsal cloud whose machines boot nothing, and copied into the cloud and the journal until
there are N of it. Measured is `llamalift ls --cloud --json`, a process of its own; calls are counted by the cloud, as
far as they are not for signing in. Peer, in the same run: asking for each machine by itself, up to 100 of them.
Last line: {"arm_calls": {N: n}, "wall_seconds": {N: s}, "memory_mb": {N: mb}, "one_by_one_calls": {N: n}, ...}.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provisioning.rehearsal.cloud import RehearsalCloud
from provisioning.rehearsal.machines import MachineKind
from provisioning.rehearsal.machines.local import WAY_VARIABLE
from provisioning.rehearsal.service import end, ensure_running, logged_requests
from runs import Run
from runs.spec.recipes import write_recipe
from runs.stages.provision import Provision
from runs.state_folder import StateFolder
from tests.fakes.many_runs import copied_id, copy_in_cloud, copy_in_journal

if TYPE_CHECKING:
    from provisioning.rehearsal.service import EmulatorHandle

_MOST_ONE_BY_ONE = 100


@dataclass(frozen=True, slots=True)
class Poll:
    """What one question about N runs took."""

    arm_calls: int
    wall_seconds: float
    memory_mb: float
    one_by_one_calls: int | None


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="at most 100 runs")
    numbers = (1, 10, 100) if parser.parse_args().quick else (1, 10, 100, 1000)
    os.environ[WAY_VARIABLE] = MachineKind.NONE
    polls = {number: poll(number) for number in numbers}
    print(f"{'runs':>6}{'calls':>7}{'seconds':>9}{'MB':>7}{'one by one':>12}")
    for number, one in polls.items():
        alone = "" if one.one_by_one_calls is None else one.one_by_one_calls
        print(f"{number:>6}{one.arm_calls:>7}{one.wall_seconds:>9.2f}{one.memory_mb:>7.0f}{alone:>12}")
    figures = {
        "arm_calls": {number: one.arm_calls for number, one in polls.items()},
        "constant": len({one.arm_calls for one in polls.values()}) == 1,
        "wall_seconds": {number: round(one.wall_seconds, 2) for number, one in polls.items()},
        "memory_mb": {number: round(one.memory_mb) for number, one in polls.items()},
        "one_by_one_calls": {n: one.one_by_one_calls for n, one in polls.items() if one.one_by_one_calls is not None},
    }
    print(json.dumps(figures))


def poll(number: int) -> Poll:
    """Make `number` runs and ask how they are."""
    with tempfile.TemporaryDirectory() as folder:
        state = StateFolder(Path(folder) / "state")
        run_id = make_runs(state, Path(folder) / "work", number)
        handle = ensure_running(state.root)
        try:
            before = last_number(handle)
            wall_seconds, memory_mb = ask(state, number)
            calls = count(handle, before)
            alone = one_by_one(handle, run_id, number) if number <= _MOST_ONE_BY_ONE else None
            return Poll(calls, wall_seconds, memory_mb, alone)
        finally:
            end(handle)


def make_runs(state: StateFolder, work: Path, number: int) -> str:
    """One real run, and copies of it; gives the id of the real one."""
    run = Run.create(write_recipe("tiny-cpu", work), state=state)
    with run.context() as context:
        Provision().act(context)
    assert end(ensure_running(state.root))
    copy_in_cloud(state.root / "rehearsal", run.run_id, number - 1)
    copy_in_journal(state, run.run_id, number - 1)
    return run.run_id


def ask(state: StateFolder, number: int) -> tuple[float, float]:
    """Wall seconds and peak memory (MB) of the command; its answer must be complete."""
    argv = [str(Path(sys.executable).with_name("llamalift")), "ls", "--cloud", "--json"]
    began = time.monotonic()
    with subprocess.Popen(
        argv, env={**os.environ, "LLAMALIFT_STATE_DIR": str(state.root)}, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        lines = json.loads(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    assert [line["in_cloud"] for line in lines] == ["running"] * number, "not every machine was told to run"
    return seconds, usage.ru_maxrss / 1024


def one_by_one(handle: EmulatorHandle, run_id: str, number: int) -> int:
    """The calls that asking for each machine takes."""
    cloud, before = RehearsalCloud(handle), last_number(handle)
    for one in (run_id, *(copied_id(run_id, copy) for copy in range(number - 1))):
        assert cloud.find_machine(one) is not None
    return count(handle, before)


def last_number(handle: EmulatorHandle) -> int:
    """The number of the last call that the cloud has answered."""
    return max((one.number for one in logged_requests(handle)), default=0)


def count(handle: EmulatorHandle, after: int) -> int:
    """The calls since, without those for signing in."""
    return sum(not one.path.startswith(f"/{handle.tenant_id}/") for one in logged_requests(handle, after))


if __name__ == "__main__":
    main()
