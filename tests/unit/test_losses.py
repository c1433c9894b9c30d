"""How often a run was lost is kept with its checkpoints, whatever becomes of the agent and its counting."""

from __future__ import annotations

from pathlib import Path

import pytest

from templates.training import losses


def test_a_first_attempt_was_never_lost(tmp_path: Path) -> None:
    """Nothing is there yet."""
    assert losses.begin(tmp_path, 1) == 0


def test_each_crash_counts(tmp_path: Path) -> None:
    """An attempt that did not end in order was lost, however the next one is numbered."""
    losses.begin(tmp_path, 1)
    assert losses.begin(tmp_path, 2) == 1
    assert losses.begin(tmp_path, 3) == 2


def test_a_new_job_does_not_forget(tmp_path: Path) -> None:
    """A resubmitted job, or a machine that took the place of a lost one, counts its own attempts from 1."""
    losses.begin(tmp_path, 1)
    losses.begin(tmp_path, 2)
    assert losses.begin(tmp_path, 1) == 2


def test_a_users_stop_is_no_loss(tmp_path: Path) -> None:
    """It ends in order, and what comes later is another job."""
    losses.begin(tmp_path, 1)
    losses.end_in_order(tmp_path)
    assert losses.begin(tmp_path, 1) == 0
    losses.end_in_order(tmp_path)
    assert losses.begin(tmp_path, 1) == 0


def test_an_eviction_with_notice_is_a_loss(tmp_path: Path) -> None:
    """It saved and left in order, but the same job goes on with its next attempt."""
    losses.begin(tmp_path, 1)
    losses.end_in_order(tmp_path)
    assert losses.begin(tmp_path, 2) == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"losses": "many", "is_open": true}', '{"losses": 1'])
def test_without_a_readable_record_the_jobs_attempts_tell(tmp_path: Path, text: str) -> None:
    """Advice only: nothing fails for it."""
    (tmp_path / "losses.json").write_text(text)
    losses.end_in_order(tmp_path)
    assert losses.begin(tmp_path, 3) == 2
    assert losses.begin(tmp_path, 1) == 3


def test_a_disk_that_takes_nothing_ends_no_training() -> None:
    """The count is lost, the training is not."""
    assert losses.begin(Path("/proc/nowhere"), 1) == 0
