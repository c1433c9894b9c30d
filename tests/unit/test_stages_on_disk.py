"""The models of stages on the machine's disk: kept once, found again, whatever was cut short on the way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from templates.agent.manifest import ManifestError, build_manifest, check_manifest, write_manifest
from templates.training.stages import done_model, keep

if TYPE_CHECKING:
    from pathlib import Path


def write_model(folder: Path, weights: str) -> None:
    """A complete folder with these weights."""
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_text(weights)
    (folder / "config.json").write_text("{}")
    write_manifest(folder, build_manifest(folder, step=3))


def run_with_model(tmp_path: Path, weights: str = "first") -> Path:
    """A run whose stage has left its model, and checkpoints of it."""
    write_model(tmp_path / "final", weights)
    (tmp_path / "checkpoints" / "checkpoint-3").mkdir(parents=True)
    (tmp_path / "checkpoints" / "losses.json").write_text("{}")
    (tmp_path / "checkpoints" / "foreign-checkpoint-9").mkdir()
    return tmp_path


def test_a_stage_is_done_when_its_model_was_kept(tmp_path: Path) -> None:
    """The model moves out of the next stage's way, its checkpoints go, and another run's stay."""
    run = run_with_model(tmp_path)
    assert done_model(run, "instruct") is None
    kept = keep(run, "instruct", [run / "checkpoints"], is_last=False)
    assert done_model(run, "instruct") == kept == run / "stages" / "instruct"
    assert not (run / "final").exists()
    assert [entry.name for entry in (run / "checkpoints").iterdir()] == ["foreign-checkpoint-9"]


def test_the_next_stages_checkpoints_are_never_taken_for_the_ones_before(tmp_path: Path) -> None:
    """Keeping again, as a job that is handed over again does, removes nothing of the stage that is on."""
    run = run_with_model(tmp_path)
    keep(run, "instruct", [run / "checkpoints"], is_last=False)
    (run / "checkpoints" / "checkpoint-1").mkdir()
    assert keep(run, "instruct", [run / "checkpoints"], is_last=False) == run / "stages" / "instruct"
    assert (run / "checkpoints" / "checkpoint-1").is_dir()


@pytest.mark.parametrize("moved", [False, True], ids=["before the move", "after the move"])
def test_a_keeping_that_was_cut_short_is_finished(tmp_path: Path, *, moved: bool) -> None:
    """The record is there and not over: whatever is missing is done."""
    run = run_with_model(tmp_path)
    keep(run, "instruct", [run / "checkpoints"], is_last=False)
    record = run / "markers" / "model-instruct.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "is_over": False}))
    if not moved:
        (run / "stages" / "instruct").rename(run / "final")
    (run / "checkpoints" / "checkpoint-3").mkdir()
    keep(run, "instruct", [run / "checkpoints"], is_last=False)
    assert done_model(run, "instruct") == run / "stages" / "instruct"
    assert not (run / "checkpoints" / "checkpoint-3").exists()


def test_the_last_stages_model_and_checkpoints_stay_where_they_are(tmp_path: Path) -> None:
    """It is the run's model; a card that is added later makes no other model of it."""
    run = run_with_model(tmp_path)
    assert keep(run, "own", [run / "checkpoints"], is_last=True) == run / "final"
    assert (run / "checkpoints" / "checkpoint-3").is_dir()
    (run / "final" / "README.md").write_text("a card on its way")
    assert check_manifest(run / "final")
    assert done_model(run, "own") == run / "final"


def test_a_damaged_model_is_not_done(tmp_path: Path) -> None:
    """Then the stage is trained again."""
    run = run_with_model(tmp_path)
    keep(run, "instruct", [run / "checkpoints"], is_last=False)
    (run / "stages" / "instruct" / "model.safetensors").write_text("cut")
    assert done_model(run, "instruct") is None


def test_nothing_is_kept_without_a_model(tmp_path: Path) -> None:
    """A stage without a whole model is no stage that is done."""
    with pytest.raises(ManifestError):
        keep(tmp_path, "instruct", [], is_last=False)


def test_a_model_of_another_stage_in_final_is_not_this_ones(tmp_path: Path) -> None:
    """By its weights, not by its place."""
    run = run_with_model(tmp_path)
    keep(run, "instruct", [run / "checkpoints"], is_last=False)
    write_model(run / "final", "second")
    assert done_model(run, "own") is None
    assert done_model(run, "instruct") == run / "stages" / "instruct"
