"""What may be lost, how long it takes still, and what it will have cost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runs.outlook import outlook, step_seconds
from runs.training_log import TrainingReader
from runs.types import RunState
from tests.fakes import seen_runs

if TYPE_CHECKING:
    from pathlib import Path


def test_a_running_run_is_told_with_its_risk_and_its_price(tmp_path: Path) -> None:
    """Forty steps of 39 seconds since the checkpoint; what it costs an hour goes on until the end."""
    seen = seen_runs.running(tmp_path)
    assert seen.cost is not None
    assert seen.outlook.at_risk_steps == 40
    assert seen.outlook.at_risk_seconds == pytest.approx(40 * 39.0)
    assert seen.outlook.dollars == pytest.approx(32.7 + 4.09 * 25_272 / 3600)


def test_before_there_is_a_time_left_the_plan_is_believed(tmp_path: Path) -> None:
    """Unless more was spent already; and once the run has ended, what it has cost is all."""
    seen = seen_runs.running(tmp_path)
    assert seen.cost is not None
    assert outlook(seen.row, None, None, seen.cost).dollars == 64.0
    assert outlook(seen.row, None, None, replace(seen.cost, estimate_dollars=1.0)).dollars == pytest.approx(32.7)
    assert outlook(replace(seen.row, state=RunState.ENDED), None, None, seen.cost).dollars == pytest.approx(32.7)
    assert outlook(seen.row, None, None, None).dollars is None


def test_a_finished_model_is_at_no_risk(tmp_path: Path) -> None:
    """Nor has a run that has ended anything to lose."""
    seen = seen_runs.running(tmp_path)
    assert seen.agent is not None
    assert outlook(seen.row, replace(seen.agent, phase="done"), None, None).at_risk_steps is None


def test_a_usual_step_leaves_saves_out(tmp_path: Path) -> None:
    """One step with a save of a minute in it changes nothing; a single step tells nothing."""
    file = tmp_path / "metrics.jsonl"
    lines, at = [], 100.0
    for step in range(1, 4):
        saved = 60.0 if step == 2 else 0.0
        at += 10.0 + saved
        lines.append(f'{{"t": {at}, "event": "step", "step": {step}, "loss": 1.0, "save_seconds": {saved}}}\n')
    file.write_text(lines[0])
    assert step_seconds(TrainingReader(file).read()[0]) is None
    file.write_text("".join(lines))
    assert step_seconds(TrainingReader(file).read()[0]) == pytest.approx(10.0)
