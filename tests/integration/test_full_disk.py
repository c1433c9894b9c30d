"""The disk is full at every phase of a save: nothing older is lost, nobody hangs, and training goes on."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from templates.agent.manifest import check_manifest
from tests.fakes.small_disk import small_disk
from tests.fakes.training_run import FLAGS, STEPS, TrainingRun

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.training, pytest.mark.timeout(600)]

EACH_STEP = [*FLAGS, "--llamalift_schedule", '{"first_interval": 1, "max_share": 1.0}', "--llamalift_keep", "2"]


def test_a_disk_that_fills_up_in_mid_save(
    finished: Callable[[str], TrainingRun], machine_python: Path, tmp_path: Path
) -> None:
    """From a save's first file to its manifest: the save is given up with the numbers, and the next step is trained."""
    whole = finished("zero2")
    size = sum(path.stat().st_size for path in (whole.folder / "checkpoints" / "checkpoint-16").rglob("*"))
    model = (whole.folder / "checkpoints" / "checkpoint-16" / "model.safetensors").stat().st_size
    free = [0, 4096, model // 2, model + 50_000, model + (size - model) // 3, size // 2, size * 3 // 4]
    free += [size - 300_000, size - 50_000, size - 9000]
    late = {str(step): room for step, room in enumerate(free, start=3)}
    refused, pruned = 3 + len(free), 4 + len(free)
    with small_disk(tmp_path, 112) as disk:
        run = TrainingRun.prepare(disk / "run", machine_python, "zero2")
        shutil.copy(str(files("tests.fakes") / "filling_trainer.py"), run.folder)
        code = run.train(
            EACH_STEP,
            module="filling_trainer",
            FILL_LATE=json.dumps(late),
            FILL_EARLY=json.dumps({str(refused): 100_000, str(pruned): size // 4}),
            FILL_REPORT=str(tmp_path / "report"),
        )
        assert code == 0, run.log()
        assert [event["step"] for event in run.events("save")] == [1, 2, *range(pruned, STEPS + 1)]
        problems = [event["text"] for event in run.events("problem")]
        for number, text in zip(late, problems, strict=False):
            assert text.startswith(
                f"the checkpoint of step {number} could not be written, training goes on without it: "
            )
            assert text.endswith(" bytes free)")
        # Room that cannot be made is refused in advance, with the numbers; room that can be made is made.
        assert len(problems) == len(late) + 1
        assert problems[-1].startswith("a checkpoint of ")
        assert problems[-1].endswith(" bytes short")
        assert any(note.startswith("removed to make room for ") for note in run.notes())

        seen = {line["step"]: line for line in map(json.loads, (tmp_path / "report").read_text().splitlines())}
        for step in range(2, pruned):
            assert seen[step]["names"] == ["checkpoint-1", "checkpoint-2"]
            assert seen[step]["newest"] == "checkpoint-2"
        assert seen[pruned]["names"] == [f"checkpoint-{pruned}", "checkpoint-2"]
        assert [event["step"] for event in run.events("step")] == list(range(1, STEPS + 1))
        assert run.curve() == whole.curve()
        assert run.digest() == whole.digest()
        assert check_manifest(run.folder / "final") == []
