"""One launch of the literal recipe: whether it has anything to do, and what it leaves."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from templates.agent.manifest import build_manifest, write_manifest
from templates.training import relaunching
from templates.training.arguments import RunArguments, RunFolders
from templates.training.metrics import Metrics
from tests.unit.test_run_checkpoints import write

if TYPE_CHECKING:
    from pathlib import Path

    from templates.training.setup import Run

TOTAL = 1290


def launch(folder: Path, save_steps: int) -> Run:
    """A launch in a run folder, as its rank 0 sees it before Transformers is loaded."""
    folders = RunFolders.beside(str(folder / "checkpoints"))
    folders.checkpoints.mkdir(exist_ok=True)
    asked = RunArguments("model", "data.json", llamalift_relaunch=save_steps)
    ranks = SimpleNamespace(is_first=True, first=lambda do: do())
    return cast("Run", SimpleNamespace(asked=asked, folders=folders, metrics=Metrics(None), ranks=ranks))


def marker(run: Run, name: str) -> Path:
    """Where a marker is."""
    return run.folders.markers / f"{name}.json"


def finish(folder: Path) -> Path:
    """A final model and its marker; gives the weights."""
    final = folder / "final"
    final.mkdir()
    (final / "model.safetensors").write_text("weights")
    write_manifest(final, build_manifest(final))
    (folder / "markers" / "train.json").write_text("{}")
    return final / "model.safetensors"


def test_the_first_launch_always_has_something_to_do(tmp_path: Path) -> None:
    """How many steps there are is not known before it has loaded the data."""
    assert not relaunching.is_over(launch(tmp_path, 800))


def test_a_launch_that_would_add_no_checkpoint_is_passed_over(tmp_path: Path) -> None:
    """From step 1,200 of 1,290 the launches with 200 and 100 gain nothing; the one with 50 does."""
    relaunching.end(launch(tmp_path, 800), TOTAL)
    write(tmp_path / "checkpoints", 1200)
    for save_steps, over in ((200, True), (100, True), (50, False)):
        run = launch(tmp_path, save_steps)
        assert relaunching.is_over(run) is over
        assert marker(run, f"train-{save_steps}").is_file() is over
    assert json.loads(marker(run, "train-200").read_text())["total_steps"] == TOTAL


def test_a_checkpoint_that_is_not_complete_does_not_count(tmp_path: Path) -> None:
    """Without its manifest it holds nothing that a launch could go on from."""
    relaunching.end(launch(tmp_path, 800), TOTAL)
    (write(tmp_path / "checkpoints", 1200) / "MANIFEST.json").unlink()
    assert not relaunching.is_over(launch(tmp_path, 200))


@pytest.mark.parametrize(("newest", "save_steps", "goes_on"), [(1200, 400, True), (1290, 6, False), (1289, 1, False)])
def test_a_launch_goes_on_until_the_last_step_is_held(
    tmp_path: Path, newest: int, save_steps: int, *, goes_on: bool
) -> None:
    """With save_steps 1 the model is made in any case: a full disk must not lose it."""
    run = launch(tmp_path, save_steps)
    write(tmp_path / "checkpoints", newest)
    assert relaunching.goes_on(run, TOTAL) is goes_on


def test_the_last_launch_looks_at_the_whole_model(tmp_path: Path) -> None:
    """It is over when the model is as its manifest says, every byte of it; a damaged one is made again."""
    run = launch(tmp_path, 1)
    relaunching.end(launch(tmp_path, 6), TOTAL)
    write(tmp_path / "checkpoints", TOTAL)
    assert not relaunching.is_over(run)
    weights = finish(tmp_path)
    assert relaunching.is_over(run)
    weights.write_text("WEIGHTS")
    assert not relaunching.is_over(run)


def test_other_runs_know_no_launches(tmp_path: Path) -> None:
    """Without the flag nothing is left and nothing goes on."""
    run = launch(tmp_path, 0)
    assert not relaunching.goes_on(run, TOTAL)
    relaunching.end(run, TOTAL)
    assert not run.folders.markers.exists()
