"""Scores of models side by side: kept one by one, compared question by question, written as a table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from templates.after.scores import Score, Scores, difference, document, markdown
from templates.after.suites import SUITES, Task, tasks_of

if TYPE_CHECKING:
    from pathlib import Path

BASE = Score(
    model="base", task="arc_challenge", metric="acc_norm", value=0.5, stderr=0.25, shots=25, questions=4, made_by="x",
    each={"arc/0": 1.0, "arc/1": 0.0, "arc/2": 1.0, "arc/3": 0.0},
)  # fmt: skip
BETTER = replace(BASE, model="own", value=0.75, each={**BASE.each, "arc/1": 1.0})


def test_a_board_has_its_tasks_with_its_examples() -> None:
    """The first Open LLM Leaderboard's, the second one's, and single tasks; each once."""
    board = {task.name: (task.shots, task.metric.split(",")[0]) for task in SUITES["open-llm-leaderboard"]}
    assert board == {
        "arc_challenge": (25, "acc_norm"), "hellaswag": (10, "acc_norm"), "mmlu": (5, "acc"),
        "truthfulqa_mc2": (0, "acc"), "winogrande": (5, "acc"), "gsm8k": (5, "exact_match"),
    }  # fmt: skip
    assert tasks_of(["mine", "mine"], None) == [Task("mine")]
    assert [task.shots for task in tasks_of(["open-llm-leaderboard"], 1)] == [1] * 6
    assert len(tasks_of(["leaderboard"], None)) == 6


def test_a_difference_is_taken_question_by_question() -> None:
    """Its standard error is that of the gains: here 1/4 ± 1/4, where two scores apart would give ± 0.35."""
    gain = difference(BETTER, BASE)
    assert gain is not None
    assert gain.value == pytest.approx(0.25)
    assert gain.stderr == pytest.approx(0.25)
    assert difference(BETTER, replace(BASE, each={})) is None


def test_scores_are_kept_one_by_one(tmp_path: Path) -> None:
    """What was written reads back; anything else is no score."""
    scores = Scores(tmp_path / "evaluation")
    scores.write(BASE)
    assert scores.read("base", "arc_challenge") == BASE
    assert scores.read("base", "mmlu") is None
    (tmp_path / "evaluation" / "base" / "mmlu.json").write_text('{"model": "base"')
    assert scores.read("base", "mmlu") is None


def test_the_table_sets_models_beside_the_first() -> None:
    """Per cent with standard errors, and the difference with its own; the mean only of whole rows."""
    other = replace(BASE, task="gsm8k", metric="exact_match", shots=5, value=0.1, stderr=None)
    found = document([BASE, BETTER, other], ["base", "own"], {"limit": 4})
    text = markdown(found)
    assert "| task | figure | examples | questions | base | own |" in text
    assert "| arc_challenge | acc_norm | 25 | 4 | 50.00 ± 25.00 | 75.00 ± 25.00 (+25.00 ± 25.00) |" in text
    assert "| gsm8k | exact_match | 5 | 4 | 10.00 |  |" in text
    assert "| **mean** | | | | 30.00 |  |" in text
    assert "not to be compared with a board's" in text
    assert found["tasks"][0]["scores"]["own"]["difference"]["value"] == pytest.approx(0.25)
