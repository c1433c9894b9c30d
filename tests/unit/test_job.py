"""The job that the agent gets: argv by argv, from the run file alone."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from remote.layout import RunLayout
from runs.errors import SpecError
from runs.job import evictions_file, render_job
from runs.secrets import read_secrets
from runs.spec.load import load_run_text
from runs.spec.recipes import write_recipe
from runs.training_steps import Inputs

if TYPE_CHECKING:
    from pathlib import Path


def render(
    tmp_path: Path,
    recipe: str,
    more_lines: str = "",
    *,
    last_lines: str = "",
    **more: Any,  # noqa: ANN401  (render_job's)
) -> dict[str, object]:
    """The job of a shipped recipe, with further lines for checkpoints and at the end, on an imaginary machine."""
    run_file = write_recipe(recipe, tmp_path)
    text = run_file.read_text().replace("\ncheckpoints:\n", f"\ncheckpoints:\n{more_lines}") + last_lines
    spec = load_run_text(text, run_file).spec
    layout = RunLayout("/workspace", "r-abcdef")
    job = render_job(
        spec, layout, Inputs("/env/bin/python", "/m", "/d.json"), processes=4, save_seconds=471,
        secrets_file=more.get("secrets_file"), evictions_per_hour=more.get("evictions_per_hour"),
    )  # fmt: skip
    return dict(job)


def steps(job: dict[str, object]) -> list[dict[str, Any]]:
    """Its steps."""
    found = job["steps"]
    assert isinstance(found, list)
    return found


def flag(argv: object, name: str) -> str:
    """The value of a flag."""
    assert isinstance(argv, list)
    return str(argv[argv.index(f"--{name}") + 1])


def test_success_is_two_markers(tmp_path: Path) -> None:
    """Training alone is not success: the final model must have been loaded back."""
    job = render(tmp_path, "tiny-cpu")
    assert [(step["name"], step["marker"]) for step in steps(job)] == [
        ("train", "markers/train.json"),
        ("verify", "markers/verify.json"),
        ("card", "markers/card.json"),
    ]


def test_curated_data_is_curated_before_it_is_trained_on(tmp_path: Path) -> None:
    """A step of its own, before all launches, reads the data as it came; every launch reads what it leaves."""
    run_file = write_recipe("tiny-cpu", tmp_path)
    text = run_file.read_text().replace("\ndata:\n", "\ndata:\n  curate: quality\n")
    text = text.replace("\ncheckpoints:\n", "\ncheckpoints:\n  relaunch: true\n").replace("  max_share: 0.2", "  #")
    layout = RunLayout("/workspace", "r-abcdef")
    job = render_job(
        load_run_text(text, run_file).spec, layout, Inputs("/env/bin/python", "/m", "/d.json"), processes=4,
        save_seconds=471, secrets_file=None,
    )  # fmt: skip
    curate, *others = job["steps"]
    launches = [step for step in others if step["name"].startswith("train")]
    assert curate["name"] == "curate"
    assert curate["marker"] == "markers/curate.json"
    words = dict(itertools.pairwise(curate["argv"]))
    assert words["--input"] == "/d.json"
    assert words["--rules"] == layout.path("job", "curation.json")
    assert len(launches) > 2
    assert {flag(step["argv"], "data_path") for step in launches} == {words["--output"]}


def test_stages_curate_the_data_that_they_train_on(tmp_path: Path) -> None:
    """The run's data once, whichever stages share it; a stage's own by the stage's own rules, before that stage."""
    run_file = write_recipe("tiny-cpu", tmp_path)
    text = (
        "name: x\nmodel: {from: ./m}\ndata: {from: ./a.json, curate: unfiltered}\ntrain:\n- name: one\n- name: two\n"
        "- name: three\n  data: {from: ./b.json, curate: quality}\n- name: four\n  data: {from: ./c.json}\n"
    )
    layout, own = RunLayout("/workspace", "r-abcdef"), {"three": "/b.json", "four": "/c.json"}
    inputs = Inputs("/env/bin/python", "/m", "/a.json", own)
    spec = load_run_text(text, run_file).spec
    job = render_job(spec, layout, inputs, processes=1, save_seconds=1, secrets_file=None)
    names = [step["name"] for step in job["steps"]]
    assert [name for name in names if name.startswith(("curate", "train"))] == [
        "curate", "train-one", "train-two", "curate-three", "train-three", "train-four",
    ]  # fmt: skip
    trained = {
        step["name"]: flag(step["argv"], "data_path") for step in job["steps"] if step["name"].startswith("train")
    }
    assert trained["train-one"] == trained["train-two"] == layout.path("inputs", "curated", "data.jsonl")
    assert trained["train-three"] == layout.path("inputs", "curated-three", "data.jsonl")
    assert trained["train-four"] == "/c.json"


def test_the_published_recipe_reaches_the_trainer_flag_by_flag(tmp_path: Path) -> None:
    """What the recipe types by hand is what the trainer gets."""
    argv = steps(render(tmp_path, "wizardlm-7b"))[0]["argv"]
    recipe = {
        "num_train_epochs": "3.0", "model_max_length": "2048", "per_device_train_batch_size": "8",
        "gradient_accumulation_steps": "4", "save_steps": "800", "save_total_limit": "3", "learning_rate": "2e-05",
        "warmup_steps": "2.0", "logging_steps": "2", "lr_scheduler_type": "cosine", "report_to": "wandb",
        "gradient_checkpointing": "True", "fp16": "True",
    }  # fmt: skip
    assert {name: flag(argv, name) for name in recipe} == recipe
    assert flag(argv, "nproc_per_node") == "4"
    assert flag(argv, "output_dir") == "/workspace/llamalift/r-abcdef/checkpoints"


def test_the_trainer_starts_on_scratch_where_the_machine_has_any(tmp_path: Path) -> None:
    """The program that looks for local disks goes first; `storage.scratch: none` leaves it out."""
    argv = steps(render(tmp_path, "tiny-cpu"))[0]["argv"]
    assert isinstance(argv, list)
    before = ["/env/bin/python", "-m", "templates.training.on_scratch", "--mount", "/scratch", "--"]
    assert argv[: len(before)] == before
    without = render(tmp_path / "none", "tiny-cpu", last_lines="\nstorage: {scratch: none}\n")
    assert "templates.training.on_scratch" not in steps(without)[0]["argv"]


def test_each_run_has_a_place_of_its_own_in_the_mirror(tmp_path: Path) -> None:
    """Two runs of one run file never overwrite each other's checkpoints."""
    argv = steps(render(tmp_path, "tiny-cpu", "  mirror: az://account/ckpt/team\n"))[0]["argv"]
    assert flag(argv, "llamalift_mirror") == "az://account/ckpt/team/r-abcdef"
    assert "--llamalift_mirror" not in steps(render(tmp_path / "none", "tiny-cpu"))[0]["argv"]


def test_the_trainer_learns_of_evictions_and_of_what_a_save_should_take(tmp_path: Path) -> None:
    """Decided once; one eviction in ten hours is 36,000 seconds between two."""
    argv = steps(render(tmp_path, "wizardlm-7b", evictions_per_hour=0.1))[0]["argv"]
    schedule = json.loads(flag(argv, "llamalift_schedule"))
    assert schedule["seconds_between_losses"] == pytest.approx(36_000)
    assert schedule["expected_save_seconds"] == 471
    never = steps(render(tmp_path / "never", "wizardlm-7b", evictions_per_hour=0.0))[0]["argv"]
    assert json.loads(flag(never, "llamalift_schedule"))["seconds_between_losses"] is None


def test_a_job_that_moved_is_told_of_the_evictions_there(tmp_path: Path) -> None:
    """In a file of its own, which the trainer reads when it starts; null where nobody knows."""
    run_file = write_recipe("wizardlm-7b", tmp_path)
    spec = load_run_text(run_file.read_text(), run_file).spec
    assert json.loads(evictions_file(spec, 0.2)) == {"seconds_between_losses": pytest.approx(18_000)}
    assert json.loads(evictions_file(spec, None)) == {"seconds_between_losses": None}


def test_the_literal_recipe_is_a_row_of_launches(tmp_path: Path) -> None:
    """One step for each save_steps from 800 down to 1, each with a marker of its own; then the model is loaded back."""
    job = steps(render(tmp_path, "wizardlm-7b", "  relaunch: true\n"))
    names = [str(step["name"]) for step in job]
    assert names == [f"train-{every}" for every in (800, 400, 200, 100, 50, 25, 12, 6, 3, 1)] + ["verify", "card"]
    assert [step["marker"] for step in job] == [f"markers/{name}.json" for name in names]
    assert [flag(step["argv"], "llamalift_relaunch") for step in job[:-2]] == [name[6:] for name in names[:-2]]
    assert {step["max_restarts"] for step in job[:-2]} == {3}


def test_each_flag_is_said_once(tmp_path: Path) -> None:
    """No flag of the run file fights one of ours."""
    argv = steps(render(tmp_path, "wizardlm-7b"))[0]["argv"]
    assert isinstance(argv, list)
    names = [word for word in argv if word.startswith("--") and word != "--"]
    assert len(names) == len(set(names))


def test_secrets_travel_by_file_only(tmp_path: Path) -> None:
    """A job names the file; it never holds a value."""
    job = render(tmp_path, "wizardlm-7b", secrets_file="/dev/shm/llamalift-r-abcdef/secrets.json")
    assert job["secrets_file"] == "/dev/shm/llamalift-r-abcdef/secrets.json"
    # Whatever a step prints goes to the log without them.
    masked = ["-m", "templates.training.masked", "WANDB_API_KEY"]
    assert [step["argv"][1:4] for step in steps(job)] == [masked, masked, masked]


def test_a_missing_secret_is_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is rented, and without printing any other value."""
    monkeypatch.setenv("HF_TOKEN", "hf_made_up")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    assert read_secrets(["HF_TOKEN"]) == {"HF_TOKEN": "hf_made_up"}
    with pytest.raises(SpecError, match="WANDB_API_KEY") as refused:
        read_secrets(["HF_TOKEN", "WANDB_API_KEY"])
    assert "hf_made_up" not in str(refused.value)


def test_a_stopped_trainer_has_time_for_its_last_save(tmp_path: Path) -> None:
    """A save that takes eight minutes is not killed after half a minute."""
    grace = render(tmp_path, "wizardlm-7b")["grace_seconds"]
    assert isinstance(grace, float)
    assert grace >= 2 * 471


def test_a_hung_training_is_told_from_a_long_save(tmp_path: Path) -> None:
    """The agent knows what a save should take; only training is watched."""
    train, verify, _ = steps(render(tmp_path, "wizardlm-7b"))
    assert train["hang"] == {"save_seconds": 471}
    assert verify["hang"] is None


def test_the_machine_delivers_last(tmp_path: Path) -> None:
    """To blob storage by a step of its own, after everything else; the agent knows how many places must have it."""
    run_file = write_recipe("tiny-cpu", tmp_path)
    both = "to: [./model, az://account/models/team]\n  checkpoints: [4, 8]\n  metrics: false"
    spec = load_run_text(run_file.read_text().replace("to: ./model", both), run_file).spec
    layout = RunLayout("/workspace", "r-abcdef")
    job = dict(
        render_job(
            spec, layout, Inputs("/env/bin/python", "/m", "/d.json"), processes=2, save_seconds=1, secrets_file=None
        )
    )
    assert job["promised"] == ["collected", "delivered"]
    last = steps(job)[-1]
    assert (last["name"], last["marker"]) == ("deliver", "markers/deliver.json")
    assert flag(last["argv"], "to") == "az://account/models/team/r-abcdef"
    assert flag(last["argv"], "checkpoints") == "4,8"
    assert ("--logs" in last["argv"], "--metrics" in last["argv"]) == (True, False)
    assert dict(render(tmp_path / "other", "tiny-cpu"))["promised"] == ["collected"]
