"""Trackers are linked to the run, learn no secret, and what they wrote lies beside the model."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from templates.training.gpu_seen import gpus_seen
from templates.training.tracking import environment, pack, run_facts

if TYPE_CHECKING:
    from pathlib import Path


def test_every_attempt_of_a_run_is_the_same_wandb_run(tmp_path: Path) -> None:
    """Its id, name and group are the run's; what is only on the disk cannot be resumed."""
    online = environment(tmp_path / "tiny-abc123", "", offline=False)
    assert {online[name] for name in ("WANDB_RUN_ID", "WANDB_NAME", "WANDB_RUN_GROUP")} == {"tiny-abc123"}
    assert online["WANDB_RESUME"] == "allow"
    assert online["WANDB_DIR"] == str(tmp_path / "tiny-abc123" / "tracking")
    assert "WANDB_RESUME" not in environment(tmp_path / "tiny-abc123", "", offline=True)


def test_stages_of_a_run_are_runs_of_one_group(tmp_path: Path) -> None:
    """Each has its own curve."""
    stage = environment(tmp_path / "tiny-abc123", "align", offline=False)
    assert (stage["WANDB_RUN_ID"], stage["WANDB_RUN_GROUP"]) == ("tiny-abc123-align", "tiny-abc123")
    assert stage["TENSORBOARD_LOGGING_DIR"].endswith("tracking/tensorboard/align")


def test_a_trackers_configuration_has_no_secret(tmp_path: Path) -> None:
    """An address may have one in its query or before its host; everything else is as the run file says it."""
    (tmp_path / "run.yaml").write_text(
        "name: tiny\nmachine: {spot: true}\nwhen: 2026-11-25\n"
        "sync:\n- {from: 'https://me:hidden@host/file.zip?sig=hidden', to: data}\n"
    )
    facts = run_facts(tmp_path)
    assert "hidden" not in json.dumps(facts)
    assert facts["run_file"] == {
        "name": "tiny", "machine": {"spot": True}, "when": "2026-11-25",
        "sync": [{"from": "https://host/file.zip", "to": "data"}],
    }  # fmt: skip


@pytest.mark.parametrize("text", [None, "- [broken"])
def test_without_a_run_file_there_are_no_facts(tmp_path: Path, text: str | None) -> None:
    """A trainer that is started by hand has none; nothing stops for that."""
    if text is not None:
        (tmp_path / "run.yaml").write_text(text)
    assert run_facts(tmp_path) == {"run": tmp_path.name, "run_file": {}}


def test_what_was_written_comes_home_with_the_model(tmp_path: Path) -> None:
    """Metrics, TensorBoard's folder under the Hub's name for it, and offline runs of W&B without its own logs."""
    run, model = tmp_path / "run", tmp_path / "model"
    model.mkdir()
    for name in ("tracking/tensorboard/events.1", "tracking/wandb/offline-run-1/run-x.wandb"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("x")
    (run / "tracking/wandb/offline-run-1/debug.log").write_text("x")
    (run / "tracking/wandb/run-online").mkdir()
    (run / "metrics.jsonl").write_text("{}\n")
    pack(run, model)
    found = sorted(str(path.relative_to(model)) for path in model.rglob("*") if path.is_file())
    assert found == ["metrics.jsonl", "runs/events.1", "wandb/offline-run-1/run-x.wandb"]


def test_the_gpus_are_told_as_the_agent_saw_them(tmp_path: Path) -> None:
    """The fullest one's memory, the mean use, the power of all; nothing from a status that is old, or that is none."""
    gpu = {"memory_used_bytes": 10, "utilization_percent": 90.0, "power_watts": 300.0}
    gpus = [gpu, {"memory_used_bytes": 30, "utilization_percent": 80.0, "power_watts": None}]
    assert gpus_seen(tmp_path) == {}
    status = tmp_path / "status.json"
    status.write_text(json.dumps({"now": time.time(), "gpus": gpus}))
    assert gpus_seen(tmp_path) == {"gpu_memory_bytes": 30, "gpu_utilization_percent": 85.0, "gpu_power_watts": 300.0}
    status.write_text(json.dumps({"now": time.time() - 900, "gpus": gpus}))
    assert gpus_seen(tmp_path) == {}
    status.write_text(json.dumps({"now": time.time(), "gpus": []}))
    assert gpus_seen(tmp_path) == {}
