"""A few schedules of random troubles, the same ones each time; `make bench NAME=random-faults` tries thousands."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.benchmarks.random_faults import try_schedules
from tests.fakes.troubled_runs import Tally

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SCHEDULES, SEED = 5, 5
# Of the same schedules, so these hold each time; threads and processes leave them some play.
STRUCK_PER_SCHEDULE = 4
FAILED_SHARE = 0.4


def test_whatever_goes_wrong_nothing_is_left_and_every_failure_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refusals, storms, resets, evictions, power cuts, in any order: `down` ends them all, and the journal agrees."""
    # Restored afterwards: the schedules set it for the cloud that they start.
    monkeypatch.setenv("LLAMALIFT_MACHINES", os.environ.get("LLAMALIFT_MACHINES", ""))
    tally = Tally(strict=True)
    try_schedules(tmp_path, SCHEDULES, tally, seed_number=SEED)
    assert tally.schedules >= SCHEDULES
    assert tally.untroubled == 0
    assert tally.struck >= STRUCK_PER_SCHEDULE * tally.schedules
    assert tally.failed_share >= FAILED_SHARE
