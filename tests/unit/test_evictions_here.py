"""A trainer that goes on elsewhere keeps to the evictions of that place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from templates.training.evictions import as_here
from templates.training.save_schedule import ShrinkSchedule

if TYPE_CHECKING:
    from pathlib import Path

SCHEDULE = ShrinkSchedule(800, seconds_between_losses=72_000.0, expected_save_seconds=471.0)


@pytest.mark.parametrize(("text", "seconds"), [("18000.0", 18_000.0), ("null", None)])
def test_what_the_client_told_last_counts(tmp_path: Path, text: str, seconds: float | None) -> None:
    """Also that nobody knows anything of the new place; all else stays as the job has it."""
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "evictions.json").write_text(f'{{"seconds_between_losses": {text}}}')
    assert as_here(SCHEDULE, tmp_path) == replace(SCHEDULE, seconds_between_losses=seconds)


@pytest.mark.parametrize(
    "text", [None, "", "[]", "{}", '{"seconds_between_losses": -1}', '{"seconds_between_losses": "x"}']
)
def test_without_a_word_the_job_counts(tmp_path: Path, text: str | None) -> None:
    """No file, or one that cannot be understood."""
    if text is not None:
        (tmp_path / "job").mkdir()
        (tmp_path / "job" / "evictions.json").write_text(text)
    assert as_here(SCHEDULE, tmp_path) == SCHEDULE
