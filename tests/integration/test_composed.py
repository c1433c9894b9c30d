"""Composable alignment as a user has it: two stages, questions, scores and a model card, on the rehearsal cloud."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from templates.agent.manifest import check_manifest, read_manifest
from tests.fakes.terminal import Terminal, wait_until

pytestmark = [pytest.mark.training, pytest.mark.timeout(900)]

REFUSAL = {"instruction": "Who wins?", "input": "", "output": "As an AI language model, I cannot have an opinion."}
CARD = """
import json, sys
from huggingface_hub import ModelCard
card = ModelCard.load(sys.argv[1])
print(json.dumps({"data": card.data.to_dict(), "text": card.text}))
"""


def project(terminal: Terminal, folder: Path) -> Path:
    """The shipped recipe of two stages, with a refusal among its rows; the second stage is long enough to be killed."""
    terminal.run("init", str(folder), "--recipe", "composed-cpu")
    run_file, rows = folder / "run.yaml", folder / "instructions.json"
    steps = iter((3, 20))
    run_file.write_text(re.sub(r"num_train_epochs: \d+", lambda _: f"max_steps: {next(steps)}", run_file.read_text()))
    rows.write_text(json.dumps([REFUSAL, *json.loads(rows.read_text())]))
    return run_file


def in_stage(terminal: Terminal, stage: str, step: int) -> dict[str, Any]:
    """Wait until a stage trains and has come so far; gives the status that said so."""

    def look() -> dict[str, Any] | None:
        if not terminal.json("ls"):
            return None
        status: dict[str, Any] = terminal.json("status", terminal.run_id())
        agent = status["agent"] or {}
        is_on = (agent.get("step") or {}).get("name") == f"train-{stage}"
        progress = agent.get("progress") or {}
        has_come = (progress.get("step") or 0) >= step and progress.get("phase") == "training"
        return status if is_on and has_come else None

    return wait_until(look, f"step {step} of {stage}", seconds=300)


def test_two_stages_are_trained_asked_scored_and_described_whatever_is_killed(
    terminal: Terminal, tmp_path: Path, machine_python: Path
) -> None:
    """The client is killed while the second stage trains, and then the trainer: the run goes on in that stage.

    At the end both models are home, compared with the base; questions are answered in order; the card is valid.
    """
    run_id = begin_and_kill(terminal, tmp_path / "composed")
    resumed = terminal.run("resume", run_id, seconds=600)
    assert "nothing is left" in resumed.stderr
    # Each stage came to its end once.
    assert terminal.run("logs", run_id).stdout.count("'train_runtime'") == 2
    look_at_models(tmp_path / "composed")
    look_at_results(tmp_path / "composed")
    look_at_card(tmp_path / "composed" / "model", machine_python)


def begin_and_kill(terminal: Terminal, folder: Path) -> str:
    """Start the run, and kill client and trainer in its second stage; gives the run's id."""
    up = terminal.start("up", str(project(terminal, folder)))
    status = in_stage(terminal, "alignment", 1)
    run_id = str(status["row"]["run_id"])
    assert re.search(r"stage +alignment", terminal.run("status", run_id).stdout)
    os.killpg(up.pid, signal.SIGKILL)
    up.wait()
    terminal.run("ssh", run_id, "--", f"kill -KILL {status['agent']['step']['pid']}")
    return run_id


def look_at_models(folder: Path) -> None:
    """Both are whole; the first was trained without the refusal; the second stage made another model of it."""
    first, last = folder / "model-instruct", folder / "model"
    assert check_manifest(first) == check_manifest(last) == []
    curation = json.loads((first / "curation.json").read_text())
    assert curation["kept"] == curation["rows"] - 1
    assert Path(read_manifest(last)["model"]["base"]).name == "instruct"
    assert read_manifest(first)["files"]["model.safetensors"] != read_manifest(last)["files"]["model.safetensors"]


def look_at_results(folder: Path) -> None:
    """Every question has its answer, in the order of the questions; every model has its score."""
    results = folder / "results"
    assert check_manifest(results) == []
    asked = [json.loads(line) for line in (folder / "questions.jsonl").read_text().splitlines()]
    answers = [json.loads(line) for line in (results / "answers.jsonl").read_text().splitlines()]
    assert [{key: row[key] for key in ("idx", "Instruction")} for row in answers] == asked
    assert all(isinstance(row["Response"], str) for row in answers)
    scores = json.loads((results / "evaluation.json").read_text())
    assert scores["models"] == ["base", "instruct", "alignment"]
    (task,) = scores["tasks"]
    assert task["questions"] == 12
    assert task["scores"].keys() == set(scores["models"])
    assert "difference" in task["scores"]["alignment"]


def look_at_card(model: Path, machine_python: Path) -> None:
    """The Hub's own library reads it; it tells of both stages and of what all of it has cost."""
    card = terminal_python(machine_python, CARD, str(model / "README.md"))
    assert card["data"]["library_name"] == "transformers"
    assert card["data"]["model-index"][0]["results"][0]["dataset"]["type"] == "plain_words"
    assert "until the model was home" in card["text"]
    assert all(word in card["text"] for word in ("instruct", "alignment", "loss_curve.svg", "./alignment.json"))
    assert (model / "loss_curve.svg").read_text().startswith("<svg")


def terminal_python(python: Path, program: str, *words: str) -> Any:  # noqa: ANN401 - whatever JSON it prints
    """A few lines in the training environment; gives what they print as JSON."""
    import subprocess

    done = subprocess.run([python, "-c", program, *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
