"""A sample of the kill matrix (`make bench NAME=kill-matrix` has all of it): nothing left, nothing doubled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.kill_matrix import CHAIN, TORN_DOWN, Room, sample, summed
from tests.fakes.killed_runs import cheapest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.training, pytest.mark.timeout(900)]


def test_a_client_killed_again_and_again_leaves_and_doubles_nothing(
    tmp_path: Path, machine_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run comes through four dead clients to its model, two are torn down by another: no leak, no double."""
    for name, value in cheapest(machine_python.parents[2], tmp_path / "byte-code").items():
        monkeypatch.setenv(name, value)
    verdicts = Room(tmp_path).run(sample())
    figures = summed(verdicts)
    assert {figures[bad] for bad in ("leaks", "doubled", "unfinished")} == {0}, verdicts
    # Of the last, `adopt` and `down` die once, too.
    assert figures["points"] == len(CHAIN) + len(TORN_DOWN) + 2, verdicts
