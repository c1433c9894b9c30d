"""`llamalift infer` and `llamalift evaluate` on models in local folders, as processes that may be killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import pytest

from templates.training.tiny_llama import write_tiny_llama
from tests.fakes.terminal import Terminal, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.training, pytest.mark.timeout(600)]

BROKEN = """\
task: broken
dataset_path: json
dataset_kwargs: {data_files: {test: not_there.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: answer
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
"""


@pytest.fixture
def home(tmp_path: Path, machine_python: Path) -> Iterator[Terminal]:
    """A terminal in a folder with a model, questions and tasks; the training environment is the tests' own."""
    with as_file(files("templates") / "data") as data:
        shutil.copy(data / "questions.jsonl", tmp_path)
        shutil.copytree(data / "tasks", tmp_path / "tasks")
    write_tiny_llama(tmp_path / "model")
    cache = {"LLAMALIFT_ENVIRONMENT_CACHE": str(machine_python.parents[2])}
    made = Terminal(tmp_path / "state", cache, folder=tmp_path)
    yield made
    made.close()


def test_answers_survive_a_kill_and_are_those_of_a_call_that_was_not_killed(home: Terminal, tmp_path: Path) -> None:
    """`kill -9` between two batches: no answer is lost, none is there twice, chance included."""
    words = ["infer", "model", "questions.jsonl", "--batch-size", "2", "--max-new-tokens", "8", "--sample"]
    whole = tmp_path / "whole.jsonl"
    home.run(*words, "-o", str(whole))
    assert "are there already" in home.run(*words, "-o", str(whole), expect=2).stderr

    part = tmp_path / "killed.jsonl.part"
    killed = home.start(*words, "-o", "killed.jsonl")
    wait_until(lambda: (part.exists() and part.read_text().count("\n") >= 3) or None, "two answers", seconds=200)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    answered = part.read_text().splitlines()[1:3]

    home.run(*words, "-o", "killed.jsonl")
    again = (tmp_path / "killed.jsonl").read_text()
    assert again == whole.read_text()
    assert all(line in again.splitlines() for line in answered)
    assert [json.loads(line)["idx"] for line in again.splitlines()] == list(range(8))
    assert not part.exists()


def test_scores_are_kept_task_by_task(home: Terminal, tmp_path: Path) -> None:
    """A task that cannot be scored is told, leaves the others alone, and what is scored is not scored again."""
    (tmp_path / "tasks" / "broken.yaml").write_text(BROKEN)
    words = ["evaluate", "base=model", "--task-folder", "tasks", "--limit", "4"]
    failed = home.run(*words, "-t", "broken", "-t", "plain_words", expect=5)
    assert "broken could not be scored for base" in failed.stderr
    score = tmp_path / "results" / "evaluation" / "base" / "plain_words.json"
    made_at = score.stat().st_mtime_ns

    done = home.run(*words, "-t", "plain_words")
    assert score.stat().st_mtime_ns == made_at
    assert "| plain_words | acc | 0 | 4 |" in done.stdout
    assert "Only the first 4 questions" in done.stdout
