"""A run on two machines as a user makes it: one of them is killed under it, and the client does not even ask."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from templates.agent.manifest import check_manifest
from tests.fakes.terminal import Terminal, wait_until
from tests.fakes.training_run import children

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.training, pytest.mark.timeout(900)]


def _project(terminal: Terminal, folder: Path) -> Path:
    """The demo's project on two machines with one process each."""
    terminal.run("init", str(folder), "--recipe", "tiny-cpu")
    run_file = folder / "run.yaml"
    text = run_file.read_text().replace("processes: 2", "processes: 1\n  nodes: 2")
    run_file.write_text(text.replace("num_train_epochs: 5", "num_train_epochs: 2"))
    return run_file


def _machine_process(host: str) -> int:
    """The first process of a local machine: all others go with it."""
    listing = subprocess.run(["ps", "-eo", "pid=,args=", "-ww"], capture_output=True, text=True, check=True)
    (sandbox,) = {int(line.split()[0]) for line in listing.stdout.splitlines() if f"--hostname {host} " in line}
    (first,) = children(sandbox)
    return first


def _limits(terminal: Terminal, run_id: str, machine: int) -> dict[str, Any]:
    """What a machine's own dead-man switch goes by."""
    file = f"/workspace/llamalift/{run_id}/run.json"
    settings = json.loads(terminal.run("ssh", "--machine", str(machine), run_id, "--", "cat", file).stdout)
    return {name: settings[name] for name in ("deadline_at", "dollars_cap", "dollars_per_hour", "idle_seconds")}


def test_one_of_two_machines_is_killed(terminal: Terminal, tmp_path: Path) -> None:
    """Both hold the same limits; `up` starts it again, both go on from the last checkpoint, one teardown ends both."""
    up = terminal.start("up", str(_project(terminal, tmp_path / "demo")))

    def saved() -> dict[str, Any] | None:
        status: dict[str, Any] = terminal.json("status", terminal.run_id()) if terminal.json("ls") else {}
        return status if ((status.get("agent") or {}).get("checkpoints") or {}).get("newest_complete") else None

    wait_until(saved, "a checkpoint", seconds=300)
    run_id = terminal.run_id()
    limits = [_limits(terminal, run_id, machine) for machine in (1, 2)]
    assert limits[0] == limits[1]
    (other,) = terminal.json("status", run_id)["others"]
    assert (other["number"], other["phase"]) == (2, "running")
    os.kill(_machine_process(f"{run_id}-n2"), signal.SIGKILL)
    output, _ = up.communicate(timeout=600)
    assert up.returncode == 0, output
    assert "machine 2 went off; starting it again" in output
    assert "going on from checkpoint-" in output
    assert check_manifest(tmp_path / "demo" / "model") == []
    # Both machines are gone, and what the second one printed is here, too.
    log = terminal.run("logs", "--machine", "2", run_id).stdout
    assert "{'train_runtime'" in log
    assert "phase: " not in log
    assert "it has: 2" in terminal.run("logs", "--machine", "3", run_id, expect=2).stderr
    receipt = json.loads((terminal.state / "runs" / run_id / "receipt.json").read_text())
    gone = {one["name"] for one in receipt["resources"] if one["confirmed_gone_at"]}
    assert {f"{run_id}-vm", f"{run_id}-n2-vm", f"{run_id}-n2-workspace", f"{run_id}-set"} <= gone
