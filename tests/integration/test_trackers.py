"""One source for every tracker: metrics.jsonl, TensorBoard and Weights & Biases (offline) hold the same figures."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from templates.agent.manifest import check_manifest
from templates.training.tracking import environment
from tests.fakes.training_run import TrainingRun
from tests.fakes.wandb_server import wandb_server

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.training, pytest.mark.timeout(600)]

FLAGS = shlex.split(
    "--model_name_or_path huggyllama/llama-7b --data_path data.json --output_dir checkpoints --max_steps 4 "
    "--model_max_length 128 --per_device_train_batch_size 2 --logging_steps 1 --report_to tensorboard wandb "
    '--llamalift_schedule \'{"first_interval": 2, "max_share": 1.0}\''
)
_TENSORBOARD = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1]).Reload()
print(json.dumps({tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}))
"""
# One attempt as the Trainer's callback makes it: linked by the environment alone.
_ATTEMPT = """
import json, sys, wandb
wandb.init(project="llamalift")
wandb.config.update({"llamalift": {"run": sys.argv[1]}})
for loss in (3.0, 2.0):
    wandb.log({"train/loss": loss})
print(json.dumps([wandb.run.id, wandb.run.resumed]))
wandb.finish()
"""
# Two rows of 3 and 1 tokens with padding; the same two packed into one row.
_COUNTS = """
import json, torch
from templates.training.gauges import tokens_and_pairs
padded = {"input_ids": torch.zeros(2, 4, dtype=int), "attention_mask": torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0]])}
packed = {"input_ids": torch.zeros(1, 4, dtype=int), "position_ids": torch.tensor([[0, 1, 2, 0]])}
print(json.dumps([[int(part) for part in tokens_and_pairs(rows)] for rows in (padded, packed)]))
"""


def test_every_tracker_has_the_same_figures_and_goes_on_after_a_kill(machine_python: Path, tmp_path: Path) -> None:
    """Killed after a save and started again: the same W&B run, one curve, all of it beside the model, no secret."""
    run = TrainingRun.prepare(tmp_path / "tiny-abc123", machine_python, "zero1")
    (run.folder / "run.yaml").write_text("name: tiny\nsync: [{from: 'https://me:opensesame@host/a?sig=opensesame'}]\n")
    process = run.start(FLAGS, processes=1)
    run.wait_for("save", process)
    process.kill()
    process.wait()
    assert run.train(FLAGS, processes=1, LLAMALIFT_ATTEMPT="2") == 0, run.log()

    final = run.folder / "final"
    assert check_manifest(final) == []
    assert (final / "metrics.jsonl").read_bytes() in (run.folder / "metrics.jsonl").read_bytes()
    told = {event["step"]: event for event in run.events("step")}
    seen = json.loads(run.python_says(_TENSORBOARD, str(final / "runs")))
    for name in ("loss", "learning_rate", "tokens_per_second", "data_wait_seconds", "save_seconds"):
        newest = dict(seen[f"train/{name}"])
        assert newest == {step: pytest.approx(event[name], rel=1e-5) for step, event in told.items()}, name
    assert (told[4]["mfu"], told[4]["gpu_power_watts"]) == (None, None)
    assert any(event["save_seconds"] > 0 for event in told.values())

    offline = [path.read_bytes() for path in sorted((final / "wandb").glob("offline-run-*/run-tiny-abc123.wandb"))]
    assert len(offline) == 2
    assert b"train/tokens_per_second" in offline[-1]
    assert str(told[4]["loss"]).encode() in offline[-1]
    # The one that was killed holds what was written by then.
    assert b"run_file" in offline[-1]
    assert not any(b"opensesame" in data for data in offline)
    assert not any(b"opensesame" in path.read_bytes() for path in (final / "runs").iterdir())
    assert json.loads(run.python_says(_COUNTS)) == [[4, 10], [4, 10]]


def test_online_every_attempt_goes_on_in_the_same_wandb_run(machine_python: Path, tmp_path: Path) -> None:
    """Against a server on loopback, with the real client: id, name and group are the run's; history goes on."""
    (tmp_path / "tracking").mkdir()
    with wandb_server() as (url, kept):
        linked = environment(tmp_path, "", offline=False) | {"WANDB_BASE_URL": url, "WANDB_API_KEY": "a" * 40}
        words = [str(machine_python), "-c", _ATTEMPT, tmp_path.name]
        said = [_run(words, linked) for _ in range(2)]
    run_id = linked["WANDB_RUN_ID"]
    assert [json.loads(one.splitlines()[0]) for one in said] == [[run_id, False], [run_id, True]]
    (told,) = kept.runs.values()
    assert (told[0]["displayName"], told[0]["groupName"]) == (run_id, run_id)
    assert "llamalift" in told[-1]["config"]
    assert [kept.history[run_id][line]["train/loss"] for line in range(4)] == [3.0, 2.0, 3.0, 2.0]
    assert "output.log" not in kept.files


def _run(words: list[str], linked: dict[str, str]) -> str:
    """What it prints."""
    whole = os.environ | linked
    return subprocess.run(words, env=whole, capture_output=True, text=True, check=True, timeout=120).stdout
