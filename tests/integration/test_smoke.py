"""The trial that a user makes before the first real run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.fakes.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.training
@pytest.mark.timeout(900)
def test_a_trial_on_the_rehearsal_cloud_keeps_every_promise(tmp_path: Path, machine_python: Path) -> None:
    """Nothing is asked where nothing is paid; every promise is kept; what it would have cost is known by component."""
    terminal = Terminal(tmp_path / "state", {"LLAMALIFT_ENVIRONMENT_CACHE": str(machine_python.parents[2])})
    try:
        verdict = json.loads(terminal.run("smoke", "--cloud", "rehearsal", "--json", seconds=800).stdout)
        assert [promise["name"] for promise in verdict["promises"] if not promise["kept"]] == []
        assert verdict["passed"]
        assert len(verdict["promises"]) == 10
        (run,) = terminal.json("cost")["runs"]
        assert {line["component"] for line in run["lines"]} == {
            "machine", "system disk", "workspace disk", "public address", "egress",
        }  # fmt: skip
        assert not any(line["goes_on"] for line in run["lines"])
        assert 0 < run["dollars"] <= run["estimate_dollars"]
        assert terminal.json("cost")["dollars"] == 0  # what Azure would have taken is no money
    finally:
        terminal.close()
    assert terminal.processes() == []
    assert list((tmp_path / "state" / "smoke").iterdir()) == []
