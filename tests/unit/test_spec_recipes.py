"""The shipped recipes load, plan and say what was published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs.errors import SpecError
from runs.plan import make_plan
from runs.spec.load import load_run_file
from runs.spec.recipes import recipe_path, recipes, write_recipe
from templates.training.flags import translate
from templates.training.hardware import Hardware

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [recipe.name for recipe in recipes()]


def test_every_shipped_run_file_is_listed() -> None:
    """No recipe is forgotten in the list, none is listed without a file."""
    assert sorted(file.stem for file in recipe_path("starter").parent.glob("*.yaml")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_written_recipe_loads_and_plans(name: str, tmp_path: Path) -> None:
    """What `llamalift init` writes goes straight through `llamalift plan`."""
    plan = make_plan(load_run_file(write_recipe(name, tmp_path / "new" / "folder")))
    assert plan.steps is not None
    assert plan.saves is not None
    ends = [(stage.saves, stage.steps) for stage in plan.stages] or [(plan.saves, plan.steps)]
    assert all(saves is not None and saves.steps[-1] == steps for saves, steps in ends)


def test_the_demo_is_as_long_as_promised(tmp_path: Path) -> None:
    """At least 30 optimizer steps on two processes, under a schedule that shrinks from 8 down to every step."""
    plan = make_plan(load_run_file(write_recipe("tiny-cpu", tmp_path)))
    assert plan.steps is not None
    assert plan.saves is not None
    assert plan.steps >= 30
    assert plan.processes == 2
    assert plan.cloud == "rehearsal"
    intervals = [after - before for before, after in zip((0, *plan.saves.steps), plan.saves.steps, strict=False)]
    assert intervals == sorted(intervals, reverse=True)
    assert intervals[0] > intervals[-1]


def test_the_published_recipe_is_there_flag_by_flag(tmp_path: Path) -> None:
    """The trainer gets what the published command line says, word for word."""
    spec = load_run_file(write_recipe("wizardlm-7b", tmp_path)).spec
    words = " ".join(spec.train.argv())
    published = (
        "--num_train_epochs 3", "--model_max_length 2048", "--per_device_train_batch_size 8",
        "--per_device_eval_batch_size 1", "--gradient_accumulation_steps 4", "--evaluation_strategy no",
        "--save_strategy steps", "--save_steps 800", "--save_total_limit 3", "--learning_rate 2e-05",
        "--warmup_steps 2", "--logging_steps 2", "--lr_scheduler_type cosine", "--report_to wandb",
        "--gradient_checkpointing True", "--fp16 True",
    )  # fmt: skip
    assert [flag for flag in published if flag not in words] == []
    assert spec.train.deepspeed == "llama-x"
    assert spec.machine.size == "Standard_NC96ads_A100_v4"
    assert spec.save_schedule().first_interval == 800


@pytest.mark.parametrize("name", NAMES)
def test_the_trainer_takes_every_recipes_flags(name: str, tmp_path: Path) -> None:
    """The trainer's own translation reads the command line that the run file makes."""
    spec = load_run_file(write_recipe(name, tmp_path)).spec
    gpu = Hardware(gpus=4, bf16=True, fp16=True, tf32=True, reporters=frozenset(["wandb"]), wandb_key=True)
    assert "--learning_rate" in translate(spec.train.argv(), gpu).argv


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    """A second `init` in the same folder refuses, names what is there, and leaves it as it was."""
    write_recipe("starter", tmp_path)
    (tmp_path / "run.yaml").write_text("mine")
    with pytest.raises(SpecError, match=r"never overwritten: .*run\.yaml"):
        write_recipe("tiny-cpu", tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["run.yaml"]
    assert (tmp_path / "run.yaml").read_text() == "mine"


def test_an_unknown_recipe_is_told_the_nearest(tmp_path: Path) -> None:
    """A slip of the finger costs one more try."""
    with pytest.raises(SpecError) as caught:
        write_recipe("wizardlm-7", tmp_path)
    assert caught.value.hint == "did you mean `llamalift init FOLDER --recipe wizardlm-7b`?"


def test_a_file_in_the_way_of_the_folder_is_refused(tmp_path: Path) -> None:
    """It is an explanation, not a traceback."""
    (tmp_path / "taken").touch()
    with pytest.raises(SpecError, match="not a folder"):
        write_recipe("starter", tmp_path / "taken")
