"""The first minutes: `init` asks little, `up` shows the plan and asks once where money is spent."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from runs.spec.load import load_run_file
from tests.fakes.terminal import LLAMALIFT
from tests.fakes.typed_text import Talk, talk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Azure is never asked: whoever is signed in on this computer is nobody here.
NOBODY = {"AZURE_CONFIG_DIR": "/nonexistent", "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A state folder of its own."""
    return {"LLAMALIFT_STATE_DIR": str(tmp_path / "state"), "WANDB_API_KEY": "made up", **NOBODY}


def typed(words: Sequence[str], answers: Sequence[tuple[str, str]], environment: dict[str, str], folder: Path) -> Talk:
    """One command on a terminal."""
    return talk([LLAMALIFT, *words], answers, environment=environment, folder=folder)


def in_script(words: Sequence[str], environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """One command where nobody sits."""
    return subprocess.run(
        [LLAMALIFT, *words], env={**os.environ, **environment}, cwd=folder, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_return_key_leads_to_a_rehearsal(environment: dict[str, str], tmp_path: Path) -> None:
    """One question; its default costs nothing, and the next command is there to be copied."""
    talked = typed(["init", "trial"], [("start from", "\n")], environment, tmp_path)
    assert talked.returncode == 0
    assert "next: llamalift plan trial/run.yaml" in talked.seen
    assert load_run_file(tmp_path / "trial" / "run.yaml").spec.cloud == "rehearsal"


def test_a_recipe_for_azure_asks_for_model_data_and_spot(environment: dict[str, str], tmp_path: Path) -> None:
    """Each answer stands in the file, with the recipe's comments around it; a path from here is one from there."""
    (tmp_path / "mine.jsonl").write_text('{"instruction": "a", "output": "b"}\n')
    answers = [
        ("start from", "9\n"), ("one of 1 to 4", "wizardlm-7b\n"), ("base model", "\n"), ("data (", "mine.jsonl\n"),
        ("spot machine", "y\n"),
    ]  # fmt: skip
    talked = typed(["init", "wizard", "--name", "mine"], answers, environment, tmp_path)
    assert talked.returncode == 0, talked.seen
    file = tmp_path / "wizard" / "run.yaml"
    spec = load_run_file(file).spec
    assert (spec.name, spec.machine.spot, spec.data.source) == ("mine", True, "../mine.jsonl")
    assert spec.model.source == "hf://huggyllama/llama-7b"
    assert "# 4 A100 GPUs of 80 GB" in file.read_text()


def test_options_answer_everything(environment: dict[str, str], tmp_path: Path) -> None:
    """In a script nobody is asked; what cannot be had is refused before anything is written."""
    words = ["init", "t", "--recipe", "tiny-cpu", "--name", "other", "--cloud", "azure", "--spot"]
    assert in_script(words, environment, tmp_path).returncode == 0
    spec = load_run_file(tmp_path / "t" / "run.yaml").spec
    assert (spec.name, spec.cloud, spec.machine.spot) == ("other", "azure", True)
    refused = in_script(["init", "u", "--recipe", "tiny-cpu", "--name", "No Name"], environment, tmp_path)
    assert refused.returncode == 2
    assert "name:" in refused.stderr
    assert not (tmp_path / "u").exists()


def test_a_folder_that_has_a_run_file_is_refused_before_anything_is_asked(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Nobody answers questions for nothing."""
    (tmp_path / "run.yaml").touch()
    talked = typed(["init"], [], environment, tmp_path)
    assert talked.returncode == 2
    assert "never overwritten" in talked.seen


def test_a_script_is_not_asked_whether_it_may_spend(environment: dict[str, str], tmp_path: Path) -> None:
    """Without `--yes` a run on Azure does not begin where nobody sits: exit code 2, and nothing exists."""
    in_script(["init", "t", "--recipe", "tiny-cpu", "--cloud", "azure"], environment, tmp_path)
    refused = in_script(["up", "t/run.yaml"], environment, tmp_path)
    assert refused.returncode == 2
    assert "llamalift up t/run.yaml --yes" in refused.stderr
    assert in_script(["ls"], environment, tmp_path).stderr.startswith("no runs yet")


def test_the_plan_is_shown_before_a_run_exists(environment: dict[str, str], tmp_path: Path) -> None:
    """On a terminal; where there is no machine to be had it ends there, and the journal knows nothing of it."""
    in_script(["init", "t", "--recipe", "tiny-cpu"], environment, tmp_path)
    file = tmp_path / "t" / "run.yaml"
    file.write_text(file.read_text().replace("  processes: 2\n", "  processes: 2\n  regions: [northpole]\n"))
    talked = typed(["up", "t/run.yaml"], [], environment, tmp_path)
    assert talked.returncode == 3, talked.seen
    assert "45 steps" in talked.seen
    assert "northpole" in talked.seen
    assert in_script(["ls"], environment, tmp_path).stderr.startswith("no runs yet")
