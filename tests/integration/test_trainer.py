"""The real trainer: two DeepSpeed processes over gloo, on the rehearsal's model."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from templates.agent.manifest import build_manifest, check_manifest, newest_complete, read_manifest, write_manifest
from templates.training import exit_codes
from templates.training.save_schedule import ShrinkSchedule, save_steps
from tests.fakes.training_run import (
    DEADLINE_SECONDS,
    FLAGS,
    PLANNED_SAVES,
    STEPS,
    TrainingRun,
    children,
    wait_until_gone,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.training, pytest.mark.timeout(600)]

# To the letter as published; output_dir is left to the one who runs it.
RECIPE = (
    "--model_name_or_path huggyllama/llama-7b --data_path data.json --output_dir checkpoints --num_train_epochs 3 "
    "--model_max_length 2048 --per_device_train_batch_size 8 --per_device_eval_batch_size 1 "
    '--gradient_accumulation_steps 4 --evaluation_strategy "no" --save_strategy "steps" --save_steps 800 '
    '--save_total_limit 3 --learning_rate 2e-5 --warmup_steps 2 --logging_steps 2 --lr_scheduler_type "cosine" '
    '--report_to "wandb" --gradient_checkpointing True --deepspeed configs/deepspeed_config.json --fp16 True'
)


def _in_fp32(run: TrainingRun) -> bool:
    """Whether this computer's processor only emulates bfloat16, so that the trainer leaves it alone."""
    return any("trains in fp32 here" in note for note in run.notes())


@pytest.mark.parametrize("stage", ["zero1", "zero2", "zero3"])
def test_each_zero_stage_ends_in_a_model_that_loads(finished: Callable[[str], TrainingRun], stage: str) -> None:
    """Loss falls, saves come as planned, three complete checkpoints stay, and the final model answers."""
    run = finished(stage)
    steps = run.events("step")
    assert [event["step"] for event in steps] == list(range(1, STEPS + 1))
    assert steps[-1]["loss"] < steps[0]["loss"] - 0.2
    assert run.events("plan")[0]["save_steps"] == PLANNED_SAVES
    assert [event["step"] for event in run.events("save")] == PLANNED_SAVES
    assert run.events("problem") == []
    kept = sorted(path.name for path in (run.folder / "checkpoints").glob("checkpoint-*"))
    assert kept == ["checkpoint-14", "checkpoint-15", "checkpoint-16"]
    assert all(check_manifest(run.folder / "checkpoints" / name) == [] for name in kept)
    assert read_manifest(run.folder / "checkpoints" / "checkpoint-16")["world_size"] == 2
    assert check_manifest(run.folder / "final") == []
    assert (run.marker("train") or {})["steps"] == STEPS
    verified = run.verify()
    assert verified.returncode == 0, verified.stderr
    marker = run.marker("verify") or {}
    # The base model's 1,059,968 and [PAD] in both embeddings.
    assert marker["parameters"] == 1_059_968 + 2 * 128
    assert marker["dtype"] == ("float32" if _in_fp32(run) else "bfloat16")
    assert marker["response"]


def test_a_finished_run_is_not_trained_again(finished: Callable[[str], TrainingRun]) -> None:
    """Started once more, it ends at once and well."""
    run = finished("zero2")
    phases = len(run.events("phase"))
    assert run.train(FLAGS, LLAMALIFT_ATTEMPT="2") == 0
    assert len(run.events("phase")) == phases


def test_the_published_command_line_runs(machine_python: Path, tmp_path: Path) -> None:
    """Every flag of the recipe, with Llama-X's DeepSpeed configuration, on a machine that cannot do half of it."""
    run = TrainingRun.prepare(tmp_path / "run", machine_python, "llama-x")
    assert run.train(shlex.split(RECIPE)) == 0, run.log()
    assert run.events("save")[-1]["step"] == 3
    assert {note.split(":")[0] for note in run.notes()} >= {
        "--evaluation_strategy is called --eval_strategy today",
        f"--fp16 True trains in {'fp32' if _in_fp32(run) else 'bf16'} here",
        "no WANDB_API_KEY here",
        "--save_steps 800 is the widest save interval",
        "DeepSpeed's fp16.enabled is false",
        "1 token added to the vocabulary",
    }
    assert run.verify().returncode == 0


def test_a_killed_run_goes_on_to_the_same_bits(
    finished: Callable[[str], TrainingRun], machine_python: Path, tmp_path: Path
) -> None:
    """Kill -9 of the launcher ends its workers; the next attempt takes the newest checkpoint that is whole."""
    run = TrainingRun.prepare(tmp_path / "run", machine_python, "zero3")
    process = run.start(FLAGS)
    run.wait_for("save", process)
    workers = list(children(process.pid))
    process.kill()
    process.wait()
    wait_until_gone(workers)
    assert run.marker("train") is None
    checkpoints = run.folder / "checkpoints"
    newest = newest_complete(checkpoints)
    assert newest is not None
    (checkpoints / ".staging-checkpoint-99" / "checkpoint-99").mkdir(parents=True)
    torn = checkpoints / "checkpoint-99"
    shutil.copytree(newest, torn)
    with (torn / "model.safetensors").open("r+b") as file:
        file.truncate(1000)

    # Another agent, or a resubmitted job, counts its attempts from 1: the crash is known all the same.
    assert run.train(FLAGS, LLAMALIFT_ATTEMPT="1") == 0, run.log()
    notes = run.notes()
    assert "checkpoint-99 is set aside: wrong size: model.safetensors" in notes
    assert "a half-written checkpoint was removed: checkpoint-99" in notes
    assert f"going on from {newest.name}" in notes
    assert not list(checkpoints.glob("*99"))
    assert run.digest() == finished("zero3").digest()
    assert run.curve() == finished("zero3").curve()
    # One rung lower: after a crash the interval starts at half.
    resumed = run.events("plan")[-1]
    assert resumed["save_steps"][0] == resumed["start_step"] + 2


def test_asked_to_leave_it_saves_first(
    finished: Callable[[str], TrainingRun], machine_python: Path, tmp_path: Path
) -> None:
    """SIGTERM saves that very step, with an exit code of its own; going on gives the same bits."""
    run = TrainingRun.prepare(tmp_path / "run", machine_python, "zero1")
    process = run.start(FLAGS)
    run.wait_for("step", process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE_SECONDS) == exit_codes.CHECKPOINTED, run.log()
    assert run.marker("train") is None
    left_at = run.events("step")[-1]["step"]
    assert newest_complete(run.folder / "checkpoints") == run.folder / "checkpoints" / f"checkpoint-{left_at}"
    assert left_at < STEPS
    assert run.train(FLAGS) == 0, run.log()
    assert run.events("step")[-1]["step"] == STEPS
    assert run.digest() == finished("zero1").digest()
    assert run.curve() == finished("zero1").curve()
    # A stop that was asked for is no crash: the interval is as wide as before.
    resumed = run.events("plan")[-1]
    schedule = ShrinkSchedule(first_interval=4, max_share=1.0)
    assert tuple(resumed["save_steps"]) == save_steps(schedule, STEPS, 0, 0, first_step=left_at)


def test_the_literal_recipe_relaunches_itself_to_the_same_bits(
    finished: Callable[[str], TrainingRun], machine_python: Path, tmp_path: Path
) -> None:
    """Launch after launch from the newest checkpoint; none that saves nothing, none at the last step by itself."""
    run = TrainingRun.prepare(tmp_path / "run", machine_python, "zero2")
    assert run.train([*FLAGS, "--llamalift_relaunch", "24"]) == 0, run.log()
    assert run.events("step") == []
    assert run.train([*FLAGS, "--llamalift_relaunch", "12"]) == 0, run.log()
    assert all((run.marker(f"train-{every}") or {})["total_steps"] == STEPS for every in (24, 12))
    assert run.marker("train") is None
    assert not (run.folder / "final").exists()
    assert run.train([*FLAGS, "--llamalift_relaunch", "4"]) == 0, run.log()
    assert run.train([*FLAGS, "--llamalift_relaunch", "1"]) == 0, run.log()
    assert [event["step"] for event in run.events("save")] == [12, 16]
    # What the first launch trained after its save is trained again; the third finds the model made.
    assert [event["step"] for event in run.events("step")] == [*range(1, STEPS + 1), *range(13, STEPS + 1)]
    assert all(run.marker(name) for name in ("train-4", "train-1", "train"))
    assert run.digest() == finished("zero2").digest()
    assert run.curve() == finished("zero2").curve()


def test_a_bad_row_ends_it_with_its_number(machine_python: Path, tmp_path: Path) -> None:
    """No traceback is needed to find row 3, and no restart would help: the exit code is its own."""
    run = TrainingRun.prepare(tmp_path / "run", machine_python, "zero2")
    rows = json.loads((run.folder / "data.json").read_text())
    rows[2]["output"] = None
    (run.folder / "data.json").write_text(json.dumps(rows))
    assert run.train(FLAGS) == exit_codes.BAD_DATA, run.log()
    problem = run.events("problem")[0]
    assert problem["kind"] == "bad_data"
    assert problem["text"].endswith("data.json, row 3")


def test_a_loss_that_is_not_finite_ends_it(machine_python: Path, tmp_path: Path) -> None:
    """Training stops at once, with its own exit code, and saves nothing of what follows; the good checkpoint stays."""
    run = TrainingRun.prepare(tmp_path / "run", machine_python, "zero2")
    assert run.train([*FLAGS, "--learning_rate", "1e30"]) == exit_codes.NOT_FINITE, run.log()
    assert run.events("problem")[0]["kind"] == "nan"
    assert run.marker("train") is None
    assert not (run.folder / "final").exists()
    assert len(run.events("step")) < STEPS


def test_a_damaged_model_is_not_verified(
    finished: Callable[[str], TrainingRun], machine_python: Path, tmp_path: Path
) -> None:
    """A flipped byte differs from the manifest; a NaN under a manifest of its own is found in the tensors."""
    run = TrainingRun(tmp_path / "run", machine_python)
    run.folder.mkdir()
    for name in ("final", "trainer.pyz"):
        source = finished("zero2").folder / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, run.folder / name)
    with (run.folder / "final" / "model.safetensors").open("r+b") as file:
        file.seek(-2, 2)
        file.write(b"\xc0\x7f")
    assert run.verify().returncode == 1
    assert run.events("problem")[-1]["text"].endswith("files: wrong content: model.safetensors")
    write_manifest(run.folder / "final", build_manifest(run.folder / "final"))
    assert run.verify().returncode == 1
    assert run.events("problem")[-1]["text"].endswith("is not finite")
    assert run.marker("verify") is None


_TOKENISE = """
import json, sys
from pathlib import Path
from templates.training.conversations import Turn, asked
from templates.training.dataset import tokenise
from templates.training.model import load_tokenizer
tokenizer = load_tokenizer(sys.argv[1], 2048, None)
rows = [(*asked("Add.", "1, 2"), Turn("assistant", "3")), (*asked("Say hello."), Turn("assistant", "Hello there."))]
whole = tokenise(rows, tokenizer, "alpaca", 2048)
print(json.dumps({
    "whole": whole, "cut": tokenise(rows, tokenizer, "alpaca", 64),
    "said": tokenizer.batch_decode([
        [token for token, label in zip(ids, labels) if label != -100]
        for ids, labels in zip(*(whole[key] for key in ("input_ids", "labels")))
    ]),
    "pad": tokenizer.pad_token, "words": len(tokenizer),
}))
"""


def test_only_the_answer_is_learnt(machine_python: Path, tmp_path: Path) -> None:
    """Labels are the answer with its end token, everything before is masked; a cut row keeps its first tokens."""
    run = TrainingRun.prepare(tmp_path / "run", machine_python, "zero2")
    seen = json.loads(run.python_says(_TOKENISE, "huggyllama/llama-7b"))
    assert seen["said"] == ["3</s>", "Hello there.</s>"]
    assert (seen["pad"], seen["words"]) == ("[PAD]", 1001)
    for ids, labels in zip(seen["whole"]["input_ids"], seen["whole"]["labels"], strict=True):
        masked = labels.count(-100)
        assert ids[0] == 1
        assert labels == [-100] * masked + ids[masked:]
    assert seen["cut"]["input_ids"] == [ids[:64] for ids in seen["whole"]["input_ids"]]
    assert seen["cut"]["labels"] == [labels[:64] for labels in seen["whole"]["labels"]]
    assert seen["cut"]["length"] == [len(ids) for ids in seen["whole"]["input_ids"]]
