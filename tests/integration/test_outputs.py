"""Logs, metrics and checkpoints that come home beside the model, from a real SSH machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from remote.errors import TransferError
from remote.layout import RunLayout
from remote.outputs import fetch_outputs, read_outputs
from remote.session import Session
from remote.transfer import send_bytes
from templates.training.prune import WANTED, prune
from templates.zipapps import trainer_zipapp
from tests.fakes.written_checkpoints import same_content, steps_in, write_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.ssh_machine import SshMachine


@pytest.fixture
def run(machine: SshMachine, request: pytest.FixtureRequest) -> RunLayout:
    """A run with three checkpoints, logs and metrics."""
    layout = RunLayout(str(machine.workspace), request.node.name.replace("[", "-").replace("]", ""))
    root = machine.workspace / "llamalift" / layout.run_id
    (root / "logs").mkdir(parents=True)
    (root / "logs" / "train.log").write_text("it trains\n" * 1000)
    (root / "logs" / "agent.log").write_text("limits\n")
    (root / "logs" / "link").symlink_to("/etc/passwd")
    (root / "metrics.jsonl").write_text('{"event": "step"}\n')
    for step in (4, 8, 12):
        write_checkpoint(root / "checkpoints", step)
    return layout


@pytest.fixture
def session(machine: SshMachine, run: RunLayout) -> Iterator[Session]:
    """A connection, with the trainer's archive on the machine."""
    with Session.connect(machine.endpoint, deadline_seconds=20) as connected:
        send_bytes(connected, trainer_zipapp(), run.trainer_zipapp)
        yield connected


def test_logs_and_metrics_come_and_links_do_not(session: Session, run: RunLayout, tmp_path: Path) -> None:
    """Each with its SHA-256; a link among the logs leads nowhere."""
    outputs = read_outputs(session, run, sys.executable, ["--logs", "--metrics"])
    fetch_outputs(session, run, outputs, tmp_path / "model.run")
    found = {path.relative_to(tmp_path / "model.run").as_posix() for path in (tmp_path / "model.run").rglob("*")}
    assert {"logs/train.log", "logs/agent.log", "metrics.jsonl"} <= found
    assert "logs/link" not in found
    assert (tmp_path / "model.run" / "logs" / "train.log").read_text() == "it trains\n" * 1000


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("last", ([12], ())), ("all", ([4, 8, 12], ())), ("4,99", ([4], (99,))), ("none", ([], ()))],
)
def test_chosen_checkpoints_come(
    session: Session, run: RunLayout, tmp_path: Path, asked: str, expected: tuple[list[int], tuple[int, ...]]
) -> None:
    """Whole, with their manifests; one that is not there is told."""
    steps, missing = expected
    outputs = read_outputs(session, run, sys.executable, ["--checkpoints", asked])
    assert outputs.missing_steps == missing
    fetch_outputs(session, run, outputs, tmp_path)
    assert steps_in(tmp_path / "checkpoints") == steps
    for step in steps:
        name = f"checkpoints/checkpoint-{step}"
        assert same_content(Path(run.path(name)), tmp_path / name)


def test_a_log_that_grows_meanwhile_comes_as_it_was(
    session: Session, run: RunLayout, machine: SshMachine, tmp_path: Path
) -> None:
    """The agent goes on writing; what was listed is what comes."""
    outputs = read_outputs(session, run, sys.executable, ["--logs"])
    log = machine.workspace / "llamalift" / run.run_id / "logs" / "agent.log"
    with log.open("a") as file:
        file.write("more\n")
    fetch_outputs(session, run, outputs, tmp_path)
    assert (tmp_path / "logs" / "agent.log").read_text() == "limits\n"


def test_a_lying_machine_cannot_send_other_files(session: Session, run: RunLayout, tmp_path: Path) -> None:
    """Only what was asked for has a place here."""
    liar = tmp_path / "python"
    liar.write_text(
        '#!/bin/sh\necho \'{"files": {"../../evil": {"size": 1, "sha256": "'
        + "0" * 64
        + '"}}, "copied": [], "missing": []}\'\n'
    )
    liar.chmod(0o755)
    with pytest.raises(TransferError, match="not asked for"):
        read_outputs(session, run, str(liar), ["--logs"])


def test_checkpoints_that_were_asked_for_are_not_pruned(run: RunLayout, machine: SshMachine) -> None:
    """Whatever `keep` says; the others go as before."""
    folder = machine.workspace / "llamalift" / run.run_id / "checkpoints"
    (folder / WANTED).write_text('{"steps": [4]}')
    prune(folder, 1)
    assert steps_in(folder) == [4, 12]
