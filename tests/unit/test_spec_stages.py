"""A `train` that is a list: what it says, what of it is refused, and what each stage's steps in the job are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from remote.layout import RunLayout
from runs.errors import SpecError
from runs.job import launch_words, render_job
from runs.spec.load import load_run_text
from runs.spec.run_file import RunFile
from runs.training_steps import Inputs

if TYPE_CHECKING:
    from pathlib import Path

TWO = """\
name: two
model: {from: ./base}
data: {from: ./instruct.json}
train:
  - {name: instruct, num_train_epochs: 2, weight_decay: 0.1}
  - name: own
    data: {from: ./own.json}
    learning_rate: 1e-5
    deepspeed: zero2
    checkpoints: {shrink: {from: 4}, keep: 1}
checkpoints: {shrink: {from: 8}, mirror: az://account/ckpt}
"""


def two(tmp_path: Path, more: str = "", *, old: str = "", new: str = "") -> RunFile:
    """A run file of two stages, changed in one place and with further lines."""
    return load_run_text(TWO.replace(old, new) + more, tmp_path / "run.yaml").spec


def steps_of(spec: RunFile, **more: str) -> list[dict[str, Any]]:
    """The steps of its job on an imaginary machine."""
    inputs = Inputs("/python", "/base", "/instruct.json", {"own": "/own.json"}, **more)
    layout = RunLayout("/w", "two-abcdef")
    job = render_job(spec, layout, inputs, processes=2, save_seconds=1, secrets_file=None)
    return list(job["steps"])


def flag(step: dict[str, Any], name: str) -> str:
    """The value of a flag."""
    argv = step["argv"]
    return str(argv[argv.index(f"--{name}") + 1])


def test_each_stage_has_its_own_data_flags_and_schedule(tmp_path: Path) -> None:
    """What a stage does not say is the run's; a mirror always is."""
    first, second = two(tmp_path).trainings
    assert (first.data.source, second.data.source) == ("./instruct.json", "./own.json")
    assert (first.train.num_train_epochs, second.train.num_train_epochs) == (2, 3)
    assert (first.first_save_interval, second.first_save_interval) == (8, 4)
    assert (first.kept_checkpoints, second.kept_checkpoints) == (3, 1)
    assert first.checkpoints.mirror == second.checkpoints.mirror == "az://account/ckpt"
    assert (first.stage_name, second.stage_name) == ("instruct", "own")


def test_one_training_is_its_only_stage(tmp_path: Path) -> None:
    """A mapping stays what it was."""
    spec = load_run_text("name: one\nmodel: {from: ./m}\ndata: {from: ./d.json}\n", tmp_path / "run.yaml").spec
    assert spec.stages == ()
    assert spec.trainings == (spec,)
    assert spec.stage_name == ""


def test_stages_survive_their_own_json(tmp_path: Path) -> None:
    """What is written as JSON reads back equal, the stages' further flags included."""
    spec = two(tmp_path)
    assert RunFile.model_validate_json(spec.model_dump_json()) == spec
    assert spec.trainings[0].train.flag("weight_decay") == 0.1


@pytest.mark.parametrize(
    ("old", "new", "path", "words"),
    [
        ("name: own", "name: instruct", "train[1].name", "an earlier stage has this name"),
        ("name: instruct, ", "", "train[0].name", "missing"),
        ("weight_decay: 0.1", "weight_decai: 0.1", "train[0].weight_decai", "unknown key"),
        ("deepspeed: zero2", "deepspeed: zero9", "train[1].deepspeed", "expected zero1"),
        ("keep: 1}", "relaunch: true}", "train", "relaunch: true is for one training"),
        ("keep: 1}", "mirror: az://other/one}", "train[1].checkpoints.mirror", "a mirror is the whole run's"),
        ("{from: 4}, keep", "{from: 4, to: 6}, keep", "train[1].checkpoints.shrink.to", "at most shrink.from"),
        ("learning_rate: 1e-5", "learning_rate: fast", "train[1].learning_rate", "expected a number"),
    ],
)
def test_what_is_wrong_with_a_stage_has_its_place(tmp_path: Path, old: str, new: str, path: str, words: str) -> None:
    """One complaint each, at the stage and the key."""
    with pytest.raises(SpecError) as caught:
        two(tmp_path, old=old, new=new)
    (problem,) = caught.value.problems
    assert problem.path == path
    assert words in problem.message


def test_a_stage_starts_from_the_model_of_the_one_before(tmp_path: Path) -> None:
    """Base, data, config and mirror of each are its own; every stage is trained, loaded back and kept."""
    steps = steps_of(two(tmp_path))
    rows = ("train", "verify", "keep")
    assert [step["name"] for step in steps] == [f"{row}-{of}" for of in ("instruct", "own") for row in rows] + ["card"]
    first, second = steps[0], steps[3]
    run = "/w/llamalift/two-abcdef"
    assert [flag(step, "model_name_or_path") for step in (first, second)] == ["/base", f"{run}/stages/instruct"]
    assert [flag(step, "data_path") for step in (first, second)] == ["/instruct.json", "/own.json"]
    assert [flag(step, "deepspeed").rpartition("/")[2] for step in (first, second)] == [
        "deepspeed-instruct.json", "deepspeed-own.json",
    ]  # fmt: skip
    assert flag(second, "llamalift_mirror") == "az://account/ckpt/two-abcdef/own"
    assert json.loads(flag(second, "llamalift_schedule"))["first_interval"] == 4
    assert not {"name", "data", "checkpoints"} & {word.removeprefix("--") for word in second["argv"]}


def test_a_done_stage_is_passed_over_when_the_job_is_handed_over_again(tmp_path: Path) -> None:
    """Each program of a stage first asks whether its model is there; only the last stage's checkpoints stay."""
    steps = steps_of(two(tmp_path))
    guarded = [step for step in steps if "templates.training.unless_done" in step["argv"]]
    assert [(step["name"], flag(step, "stage")) for step in guarded] == [
        ("train-instruct", "instruct"), ("verify-instruct", "instruct"), ("train-own", "own"), ("verify-own", "own"),
    ]  # fmt: skip
    assert [flag(step, "marker") for step in guarded] == [step["marker"] for step in guarded]
    keeps = [step["argv"] for step in steps if step["name"].startswith("keep-")]
    assert ["--last" in argv for argv in keeps] == [False, True]


def test_a_step_is_called_by_its_stage_in_words() -> None:
    """What `status` and the progress line say; a launch of the literal recipe is no stage."""
    assert launch_words("train-instruct") == "stage instruct"
    assert launch_words("verify-a-b") == "stage a-b"
    assert launch_words("train-800") == "save_steps 800"
    assert launch_words("train") == launch_words("infer-own") == ""


def test_models_are_asked_and_scored_after_the_last_stage(tmp_path: Path) -> None:
    """All of them side by side with the base, if so asked; and no such step can fail the job."""
    after = "after: {infer: {input: ./q.jsonl, of: all}, evaluate: {tasks: [gsm8k], limit: 5}}\n"
    steps = steps_of(two(tmp_path, after), questions="/q.jsonl")[6:]
    assert [step["name"] for step in steps] == ["infer-instruct", "infer", "evaluate", "card"]
    assert all("templates.after.soft" in step["argv"] for step in steps)
    run, scored = "/w/llamalift/two-abcdef", steps[2]["argv"]
    place = scored.index("--models")
    assert scored[place + 1 : place + 4] == ["base=/base", f"instruct={run}/stages/instruct", f"own={run}/final"]
    assert flag(steps[2], "limit") == "5"


def test_one_training_with_questions_is_not_trained_again_for_them(tmp_path: Path) -> None:
    """A job that is handed over again while answers are made goes on with those."""
    text = "name: one\nmodel: {from: ./m}\ndata: {from: ./d.json}\nafter: {infer: {input: ./q.jsonl}}\n"
    steps = steps_of(load_run_text(text, tmp_path / "run.yaml").spec, questions="/q.jsonl")
    assert [step["name"] for step in steps] == ["train", "verify", "keep-final", "infer", "card"]
    assert steps[0]["argv"][2] == "templates.training.unless_done"


def test_several_machines_train_no_stages(tmp_path: Path) -> None:
    """The model that a stage begins with is on the first machine alone."""
    with pytest.raises(SpecError) as caught:
        two(tmp_path, "machine: {nodes: 2}\n")
    assert [(problem.path, problem.message) for problem in caught.value.problems] == [
        ("machine.nodes", "stages are for one machine, found: 2")
    ]
