"""How long `llamalift --help` and `llamalift ls` take to start, against importing the two libraries they draw with.

Peer: `python -c 'import typer, rich'` under the same interpreter. The three are run in turn, so that whatever else the
machine does weighs on all alike; the figure is the ratio of medians of wall time.
Last line: {"ratio_help": x, "ratio_ls": y, ...}.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runs.journal import Journal
from runs.state_folder import StateFolder
from runs.types import RunRow, RunState, StageName, StageState


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 7 if parser.parse_args().quick else 40
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "LLAMALIFT_STATE_DIR": folder}
        fill_journal(StateFolder(Path(folder)), runs=100)
        llamalift = str(Path(sys.executable).with_name("llamalift"))
        commands = {
            "peer": [sys.executable, "-c", "import typer, rich"],
            "help": [llamalift, "--help"],
            "ls": [llamalift, "ls"],
        }
        seconds = measure(commands, environment, rounds)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        print(f"{name:<6} median {median * 1000:6.1f} ms  min {min(seconds[name]) * 1000:6.1f} ms  of {rounds}")
    ratios = {f"ratio_{name}": round(medians[name] / medians["peer"], 2) for name in ("help", "ls")}
    print(json.dumps({**ratios, "rounds": rounds, "peer_ms": round(medians["peer"] * 1000, 1)}))


def fill_journal(state: StateFolder, *, runs: int) -> None:
    """A journal such as a busy user has: every run ended after six stages and owned seven resources."""
    journal = Journal(state.journal)
    for number in range(runs):
        run_id = f"bench-{number:06}"
        began = 1.7e9 + number
        journal.add_run(RunRow(run_id, "bench", "azure", began, "run.yaml", "name: bench", "0", RunState.ENDED))
        for stage in StageName:
            journal.stage_started(run_id, stage)
            journal.stage_ended(run_id, stage, StageState.DONE, "as planned")


def measure(commands: dict[str, list[str]], environment: dict[str, str], rounds: int) -> dict[str, list[float]]:
    """Wall seconds of each command, `rounds` times in turn, after one unmeasured round that warms the caches."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, argv in commands.items():
            began = time.perf_counter()
            subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)
            if number:
                seconds[name].append(time.perf_counter() - began)
    return seconds


if __name__ == "__main__":
    main()
