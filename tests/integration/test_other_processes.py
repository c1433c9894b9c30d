"""A run that goes on with another number of processes: DeepSpeed's universal checkpoint, with the same rows a step."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from templates.agent.manifest import check_manifest, read_manifest
from templates.training import exit_codes
from tests.fakes.training_run import FLAGS, STEPS, TrainingRun

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.training, pytest.mark.timeout(900)]

# Sums are made in another order, which two summands do not notice: all differences were measured as 0, in float32 and
# in bfloat16. Of four processes' gradients the last bits may differ, which moved a loss of 6.9 by less than this.
TOLERANCE = 5e-7


def prepare_from(source: TrainingRun, step: int, folder: Path, stage: str) -> TrainingRun:
    """Prepare a run that holds one checkpoint of another's."""
    run = TrainingRun.prepare(folder, source.python, stage)
    name = f"checkpoints/checkpoint-{step}"
    shutil.copytree(source.folder / name, run.folder / name)
    return run


def agrees(run: TrainingRun, whole: TrainingRun, first: int) -> None:
    """Compare the steps from `first` on with the uninterrupted run's: equal learning rates, losses near enough."""
    expected = whole.curve()[first - 1 :]
    assert [point[0] for point in run.curve()] == list(range(first, STEPS + 1))
    for (_, loss, rate, _), (_, expected_loss, expected_rate, _) in zip(run.curve(), expected, strict=True):
        assert loss == pytest.approx(expected_loss, abs=TOLERANCE)
        assert rate == expected_rate
    assert run.events("problem") == []
    # Nothing of the conversion stays.
    assert not list((run.folder / "checkpoints").glob(".*"))


@pytest.mark.parametrize("stage", ["zero1", "zero2", "zero3"])
def test_two_processes_become_one(finished: Callable[[str], TrainingRun], tmp_path: Path, stage: str) -> None:
    """The checkpoint is converted by itself, and a step takes the same rows in twice as many turns; and back again."""
    whole = finished(stage)
    run = prepare_from(whole, STEPS - 2, tmp_path / "run", stage)
    assert run.train(FLAGS, processes=1) == 0, run.log()
    agrees(run, whole, STEPS - 1)
    assert {
        f"checkpoint-{STEPS - 2} is of 2 processes, and here are 1: it is converted",
        "a step keeps its 8 rows: 1 processes x 4 rows x 2 times",
        f"going on from checkpoint-{STEPS - 2}",
    } <= set(run.notes())
    kept = run.folder / "checkpoints" / f"checkpoint-{STEPS}"
    assert check_manifest(kept) == []
    facts = read_manifest(kept)
    assert (facts["world_size"], facts["rows_per_step"], facts["rows_per_process"]) == (1, 8, 4)
    if stage == "zero2":
        again = prepare_from(run, STEPS - 1, tmp_path / "again", stage)
        assert again.train(FLAGS) == 0, again.log()
        agrees(again, whole, STEPS)
        assert f"checkpoint-{STEPS - 1} is of 1 processes, and here are 2: it is converted" in again.notes()


def test_rows_that_cannot_be_dealt_out_are_refused(finished: Callable[[str], TrainingRun], tmp_path: Path) -> None:
    """Three processes cannot make steps of eight rows: said with the numbers, before a model is loaded."""
    run = prepare_from(finished("zero2"), STEPS - 2, tmp_path / "run", "zero2")
    assert run.train(FLAGS, processes=3) == exit_codes.USAGE
    assert run.events("problem")[-1]["text"] == (
        "a step of 8 rows cannot be dealt out to 3 processes: choose a size whose number of GPUs divides 8"
    )
    assert not list((run.folder / "checkpoints").glob(".*"))
