"""The final model when it cannot be gathered, and what is compared with the base."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from templates.agent.manifest import build_manifest, check_manifest, read_manifest, write_manifest
from tests.fakes.training_run import FLAGS, STEPS, TrainingRun

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.training, pytest.mark.timeout(600)]


def test_without_gathering_it_is_put_together_from_the_last_checkpoint(
    finished: Callable[[str], TrainingRun], machine_python: Path, tmp_path: Path
) -> None:
    """The same bits as a gathered model, out of checkpoints that hold no model file; and it can be verified."""
    whole = finished("zero3")
    run = TrainingRun.prepare(tmp_path / "run", machine_python, "zero3")
    config = run.folder / "configs" / "deepspeed_config.json"
    words = json.loads(config.read_text())
    words["zero_optimization"]["stage3_gather_16bit_weights_on_model_save"] = False
    config.write_text(json.dumps(words))
    source, last = (f"checkpoints/checkpoint-{step}" for step in (STEPS - 1, STEPS))
    shutil.copytree(whole.folder / source, run.folder / source)
    assert run.train(FLAGS) == 0, run.log()
    assert check_manifest(run.folder / last) == []
    assert not list((run.folder / last).glob("*.safetensors"))
    assert f"the final model is put together from checkpoint-{STEPS}: DeepSpeed is not to gather it" in run.notes()
    assert run.curve() == whole.curve()[-1:]
    assert run.digest() == whole.digest()

    assert run.verify().returncode == 0, run.events("problem")
    checks = (run.marker("verify") or {})["checks"]
    assert "base: 1,060,224 parameters, the base has 1,059,968: 1 token added to the vocabulary" in checks

    facts = read_manifest(run.folder / "final")["model"]
    write_manifest(run.folder / "final", build_manifest(run.folder / "final", model={**facts, "parameters": 1_059_968}))
    assert run.verify().returncode == 1
    assert run.events("problem")[-1]["text"].endswith("base: 1,060,224 parameters instead of 1,059,968")
    # Neither marker is left: the next attempt makes the model from its checkpoint again.
    assert run.marker("verify") is None
    assert run.marker("train") is None
