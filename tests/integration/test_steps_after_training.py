"""The small programs that stand before a job's steps: what they leave, and what they become, as processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runs.local_environment import environment_folder, local_python
from runs.state_folder import StateFolder
from templates.agent.manifest import build_manifest, write_manifest
from templates.training.stages import done_model
from tests.fakes.terminal import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
COUNT = "import sys, pathlib; p = pathlib.Path('tries'); p.write_text(p.read_text() + 'x' if p.exists() else 'x'); "


def start(folder: Path, module: str, *words: str) -> subprocess.Popen[str]:
    """A program of a job's step in a run folder, as the agent starts it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LLAMALIFT_RUN_DIR": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-m", module, *words], cwd=folder, env=environment, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip


def soft(folder: Path, *program: str) -> subprocess.Popen[str]:
    """A program whose failure must not cost the model."""
    words = ["--name", "evaluate", "--marker", "markers/evaluate.json", "--tries", "3", "--", sys.executable, "-c"]
    return start(folder, "templates.after.soft", *words, *program)


def notes(folder: Path) -> list[str]:
    """What the user is told."""
    path = folder / "metrics.jsonl"
    events = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [event["text"] for event in events if event["event"] == "note"]


def write_model(folder: Path) -> None:
    """A complete model in a run folder."""
    (folder / "final").mkdir(parents=True)
    (folder / "final" / "model.safetensors").write_text("weights")
    write_manifest(folder / "final", build_manifest(folder / "final", step=1))


@pytest.mark.parametrize("tries", [1, 3])
def test_a_program_that_succeeds_at_some_time_is_a_success(tmp_path: Path, tries: int) -> None:
    """It is started again after a failure; what it prints goes to the log."""
    process = soft(tmp_path, f"{COUNT} print('words'); sys.exit(0 if len(p.read_text()) >= {tries} else 1)")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert output.count("words") == tries
    assert json.loads((tmp_path / "markers" / "evaluate.json").read_text())["failure"] is None
    assert notes(tmp_path) == []


def test_a_program_that_never_succeeds_costs_a_note_and_no_model(tmp_path: Path) -> None:
    """The step is over with its reason, after three tries."""
    process = soft(tmp_path, f"{COUNT} print('error: no such task', file=sys.stderr); sys.exit(1)")
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert (tmp_path / "tries").read_text() == "xxx"
    assert json.loads((tmp_path / "markers" / "evaluate.json").read_text())["failure"] == "no such task (exit code 1)"
    (note,) = notes(tmp_path)
    assert note == "evaluate did not work out, the model is whole all the same: no such task (exit code 1)"


def test_a_program_that_is_asked_to_leave_leaves_no_marker(tmp_path: Path) -> None:
    """Then the step is not over: it goes on when the job does."""
    process = soft(tmp_path, f"{COUNT} import time; time.sleep(100)")
    wait_until(lambda: (tmp_path / "tries").exists() or None, "its start", seconds=30)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert not (tmp_path / "markers" / "evaluate.json").exists()
    assert (tmp_path / "tries").read_text() == "x"


def test_a_stage_is_kept_once_and_then_passed_over(tmp_path: Path) -> None:
    """Before it is done the step becomes its program; afterwards it leaves the marker by itself."""
    write_model(tmp_path)
    (tmp_path / "checkpoints" / "checkpoint-1").mkdir(parents=True)
    (tmp_path / "scratch" / "checkpoints" / "checkpoint-1").mkdir(parents=True)
    unless = ["--stage", "instruct", "--marker", "markers/train.json", "--number", "1", "--of", "2", "--"]
    program = [sys.executable, "-c", "print('trained')"]
    assert _said(start(tmp_path, "templates.training.unless_done", *unless, *program)) == "trained\n"
    assert not (tmp_path / "markers" / "train.json").exists()

    keep = ["--stage", "instruct", "--llamalift_scratch", str(tmp_path / "scratch")]
    _said(start(tmp_path, "templates.training.keep_stage", *keep))
    assert (tmp_path / "markers" / "keep-instruct.json").exists()
    assert done_model(tmp_path, "instruct") == tmp_path / "stages" / "instruct"
    assert not list(tmp_path.glob("**/checkpoint-1"))

    assert "instruct is done already" in _said(start(tmp_path, "templates.training.unless_done", *unless, *program))
    assert (tmp_path / "markers" / "train.json").exists()


def test_a_stage_without_a_model_cannot_be_kept(tmp_path: Path) -> None:
    """The agent is told why."""
    process = start(tmp_path, "templates.training.keep_stage", "--stage", "instruct", "--last")
    process.communicate(timeout=60)
    assert process.returncode == 1
    problems = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [problem["kind"] for problem in problems] == ["bad_model"]


def test_the_environment_at_home_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A complete one is taken without a word, beside those of the rehearsal's machines."""
    monkeypatch.setenv("LLAMALIFT_ENVIRONMENT_CACHE", str(tmp_path / "env"))
    state, said = StateFolder(tmp_path / "state"), list[str]()
    folder = environment_folder(state)
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / ".complete").write_text("{}")
    assert local_python(state, said.append) == folder / "bin" / "python"
    assert said == []
    assert folder.parent == tmp_path / "env"


def _said(process: subprocess.Popen[str], codes: Sequence[int] = (0,)) -> str:
    output, _ = process.communicate(timeout=60)
    assert process.returncode in codes, output
    return output
