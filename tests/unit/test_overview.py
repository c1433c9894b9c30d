"""`llamalift ls` knows every run from the journal alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs.errors import JournalError, RunNotFoundError
from runs.journal import Journal
from runs.overview import OverviewLine, overview
from runs.receipt import make_receipt, read_receipt, write_receipt
from runs.run import Run
from runs.state_folder import StateFolder
from runs.types import EffectMoment, RunRow, RunState, StageName, StageState

if TYPE_CHECKING:
    from pathlib import Path


def a_state(tmp_path: Path) -> tuple[StateFolder, Journal]:
    """A state folder with three runs: new, failed with a disk left, and ended."""
    state = StateFolder(tmp_path)
    journal = Journal(state.journal)
    for number, (run_id, whole) in enumerate(
        [("new-aaaaaa", RunState.ACTIVE), ("left-bbbbbb", RunState.ACTIVE), ("old-cccccc", RunState.ENDED)]
    ):
        journal.add_run(RunRow(run_id, run_id[:-7], "azure", 100.0 - number, "run.yaml", "", "0", whole))
    journal.stage_started("left-bbbbbb", StageName.PROVISION)
    journal.stage_ended("left-bbbbbb", StageName.PROVISION, StageState.DONE, "rented")
    journal.stage_started("left-bbbbbb", StageName.BOOTSTRAP)
    journal.stage_ended("left-bbbbbb", StageName.BOOTSTRAP, StageState.FAILED, "no")
    for run_id in ("left-bbbbbb", "old-cccccc"):
        journal.note_effect(run_id, EffectMoment.CREATE_INTENDED, kind="disk", name="d", resource_id=f"/{run_id}")
    journal.note_effect("old-cccccc", EffectMoment.GONE, kind="disk", name="d", resource_id="/old-cccccc")
    return state, journal


def test_each_run_is_one_line_with_what_may_be_left(tmp_path: Path) -> None:
    """An intent counts as a resource until its 404: a creation may have happened although nobody saw it."""
    state, _ = a_state(tmp_path)
    assert overview(state) == [
        OverviewLine("new-aaaaaa", "azure", 100.0, "", "", 0),
        OverviewLine("left-bbbbbb", "azure", 99.0, "bootstrap", "failed", 1),
        OverviewLine("old-cccccc", "azure", 98.0, "", "ended", 0),
    ]


def test_a_receipt_survives_on_disk(tmp_path: Path) -> None:
    """What was printed can be read again, byte for byte the same facts; nobody else may read it."""
    state, journal = a_state(tmp_path)
    receipt = make_receipt(journal, "old-cccccc")
    file = state.run("old-cccccc") / "receipt.json"
    write_receipt(receipt, file)
    assert read_receipt(file) == receipt
    assert file.stat().st_mode & 0o777 == 0o600
    assert receipt.resources[0].confirmed_gone_at is not None


def test_the_state_folder_is_the_users_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LLAMALIFT_STATE_DIR wins over the platform's own place, and run folders are private."""
    monkeypatch.setenv("LLAMALIFT_STATE_DIR", str(tmp_path / "mine"))
    state = StateFolder.of_user()
    assert state.root == tmp_path / "mine"
    assert state.run("r").stat().st_mode & 0o777 == 0o700


def test_whoever_only_looks_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither a list nor an unknown run makes a state folder."""
    state = StateFolder(tmp_path / "state")
    assert overview(state) == []
    with pytest.raises(RunNotFoundError):
        Run.open("nope", state=state)
    assert not state.root.exists()


def test_a_state_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """With the variable that chooses another."""
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError) as caught:
        Journal(tmp_path / "file" / "state" / "journal.sqlite")
    assert "LLAMALIFT_STATE_DIR" in caught.value.hint
