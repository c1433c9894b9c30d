"""`llamalift status` without a run: all of them, a line each."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.fleet_screen import print_fleet
from runs.facts import Rented, Trust
from runs.fleet import RunLine, fleet
from runs.types import RunRow, RunState
from tests.fakes.lived_runs import RUN_ID, lived_run

if TYPE_CHECKING:
    from pathlib import Path

    from syrupy.assertion import SnapshotAssertion

LINES = (
    RunLine("wizardlm-7b-k3x9qa", "azure", 1.0, "train", "running", 640, 1288, 0.906, 16_400.0, 25_272.0, 32.7, 90.0),
    RunLine("wizardlm-7b-aaaaaa", "azure", 1.0, "train", "running", dollars=3.0, dollars_cap=90.0, silence="no answer"),
    RunLine("tiny-paused", "azure", 1.0, "train", "paused", dollars=0.004, dollars_cap=1.0),
    RunLine("tiny-abc123", "rehearsal", 1.0, "teardown", "ended", 18, 18, 5.985, dollars=0.0057),
    RunLine("tiny-new", "azure", 1.0, "", ""),
)


def test_runs_that_have_ended_are_told_from_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine is asked; whoever only looks leaves no file behind."""
    assert fleet_of(tmp_path / "empty") == []
    assert not (tmp_path / "empty").exists()
    run = lived_run(tmp_path)
    assert len({line.run_id for line in fleet(run.state)}) == 1
    monkeypatch.setenv("LLAMALIFT_STATE_DIR", str(tmp_path))
    told = json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)
    assert told["schema"] == 1
    assert [(line["run_id"], line["state"], line["step"], line["loss"]) for line in told["runs"]] == [
        (RUN_ID, "ended", 1288, 0.81)
    ]


def fleet_of(root: Path) -> list[RunLine]:
    """All runs of a state folder."""
    from runs.state_folder import StateFolder

    return fleet(StateFolder(root))


def test_a_silent_machine_holds_nobody_up(tmp_path: Path) -> None:
    """It is told as silent, and what was told before stays; the cloud is not asked for it."""
    run = lived_run(tmp_path, ended=False)
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run.journal.put(RUN_ID, Rented("/vm", "127.0.0.1", port, "llama", "eastus", None))
    run.journal.put(RUN_ID, Trust(one_time="", own="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKd0"))
    (line,) = fleet(run.state, connect_seconds=0.3)
    assert line.silence
    assert not (tmp_path / "rehearsal").exists()
    assert (line.step, line.dollars_cap) == (1288, 1.0)


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits(width: int, capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion) -> None:
    """What is left out first on a narrow terminal is what matters least."""
    print_fleet(LINES, width=width, now=3601.0)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    assert out == snapshot


def test_rows_are_as_they_were(tmp_path: Path) -> None:
    """A new run has nothing to tell yet."""
    run = lived_run(tmp_path)
    new = replace(run.row, run_id="new-aaaaaa", state=RunState.ACTIVE, created_at=1.0)
    assert isinstance(new, RunRow)
    run.journal.add_run(new)
    assert fleet(run.state)[-1] == RunLine("new-aaaaaa", "rehearsal", 1.0, "", "")
