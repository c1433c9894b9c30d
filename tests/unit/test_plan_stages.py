"""The plan of a run of several stages: each by itself, all on one disk and in one sum; and what follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli.plan_screen import plan_lines
from runs.errors import SpecError
from runs.plan import make_plan
from runs.plan.document import plan_json
from runs.spec.load import load_run_file, load_run_text
from runs.spec.recipes import write_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from runs.plan.plan import Plan

BIG = """\
name: big
cloud: azure
model: {from: hf://huggyllama/llama-7b}
data: {from: hf://datasets/ehartford/WizardLM_alpaca_evol_instruct_70k_unfiltered/w.json}
train:
  - {name: instruct}
  - {name: own, num_train_epochs: 1, save_total_limit: 5, deepspeed: zero2}
"""


def big(tmp_path: Path, more: str = "", train: str = "") -> Plan:
    """A plan of two 7B stages, with further lines."""
    return make_plan(load_run_text(BIG + train + more, tmp_path / "run.yaml"))


def test_a_plan_has_every_stage_and_their_sum(tmp_path: Path) -> None:
    """Steps, saves, seconds and bytes of each; the run's are the sum, with one stage's checkpoints at a time."""
    plan = big(tmp_path)
    first, second = plan.stages
    assert (first.name, second.name) == ("instruct", "own")
    assert (first.zero_stage, second.zero_stage) == (3, 2)
    assert first.steps == 3 * (second.steps or 0)
    assert plan.steps == (first.steps or 0) + (second.steps or 0)
    assert plan.need.checkpoint == max(first.checkpoint_bytes, second.checkpoint_bytes)
    assert plan.need.checkpoints == 5 + 1
    assert plan.need.final == pytest.approx(2 * 13.5e9, rel=0.01)
    assert plan.time is not None
    assert first.seconds is not None
    assert second.seconds is not None
    training_and_saving = plan.time.training_seconds + plan.time.saving_seconds
    assert training_and_saving == pytest.approx(first.seconds + second.seconds)


def test_one_training_has_no_stages(tmp_path: Path) -> None:
    """Its plan is what it was."""
    plan = make_plan(load_run_file(write_recipe("tiny-cpu", tmp_path)))
    assert plan.stages == ()
    assert plan_json(plan, now=0)["stages"] == []
    assert not [line for line in plan_lines(plan, 100, 0) if str(line).lstrip().startswith(("stage ", "all stages"))]


def test_the_screen_shows_each_stage_with_its_ruler_and_then_the_sum(tmp_path: Path) -> None:
    """What a reader compares stands below each other."""
    plan = make_plan(load_run_file(write_recipe("composed-cpu", tmp_path)))
    lines = [str(line) for line in plan_lines(plan, 110, 0)]
    labels = [line[:14].strip() for line in lines]
    assert [label for label in labels if label in {"stage", "all stages", "after"}] == [
        "stage", "stage", "all stages", "after",
    ]  # fmt: skip
    text = " ".join(" ".join(line.split()) for line in lines)
    assert "1. instruct, from the base model" in text
    assert "2. alignment, from instruct's model: ./alignment.json, 24 rows" in text
    assert "8 questions to 1 model, at most 24 tokens each; 1 task for 3 models" in text


def test_what_cannot_work_is_said_at_the_stage(tmp_path: Path) -> None:
    """Data that is none of a stage's has the stage's place; what is the run's is said once."""
    folder = write_recipe("composed-cpu", tmp_path).parent
    (folder / "alignment.json").write_text("[]")
    with pytest.raises(SpecError) as caught:
        make_plan(load_run_file(folder / "run.yaml"))
    assert [problem.path for problem in caught.value.problems] == ["train[1].data.from"]
    small = (folder / "run.yaml").read_text().replace("  processes: 2", "  processes: 64")
    (folder / "run.yaml").write_text(small)
    (folder / "alignment.json").write_text((folder / "instructions.json").read_text())
    with pytest.raises(SpecError) as caught:
        make_plan(load_run_file(folder / "run.yaml"))
    assert [problem.path for problem in caught.value.problems] == ["machine.processes"]


def test_scores_of_a_board_take_hours_that_the_limits_know_of(tmp_path: Path) -> None:
    """Else the deadline would end the machine in the middle of them; a limit of questions takes less."""
    plain = big(tmp_path)
    scored = big(tmp_path, "after: {evaluate: {tasks: [open-llm-leaderboard]}}\n")
    few = big(tmp_path, "after: {evaluate: {tasks: [open-llm-leaderboard], limit: 10, base: false, of: last}}\n")
    assert plain.time is not None
    assert scored.time is not None
    assert few.time is not None
    assert plain.time.after_seconds == 0
    assert 3600 < scored.time.after_seconds < 24 * 3600
    assert 0 < few.time.after_seconds < 1800
    assert scored.limits.hours > plain.limits.hours
    assert scored.asked == "6 tasks for 3 models"
    assert few.asked == "6 tasks for 1 model, at most 10 questions of each"


def test_questions_and_tasks_that_will_not_do_are_refused_before_anything_is_rented(tmp_path: Path) -> None:
    """They would be read only after the training was paid for."""
    folder = write_recipe("composed-cpu", tmp_path).parent
    (folder / "questions.jsonl").write_text('{"Instruction": "Who are you?"}\n')
    (folder / "tasks" / "plain_words.yaml").unlink()
    with pytest.raises(SpecError) as caught:
        make_plan(load_run_file(folder / "run.yaml"))
    assert [(problem.path, problem.message.split(":")[0]) for problem in caught.value.problems] == [
        ("after.infer.input", "a question must be an object with idx and Instruction"),
        ("after.evaluate.task_folder", "no task (.yaml) is in the folder"),
    ]
