"""Every run at a glance: where it stands, what it costs, how its loss goes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cli.dashboard.list_view import ROWS, list_view, spark
from runs.cost import cost_of_run
from runs.facts import Pausing
from runs.glance import Standing, glance
from runs.journal import Journal
from runs.loss_sketch import LossSketch, sketch_losses
from runs.state_folder import StateFolder
from tests.fakes.told_runs import ToldRun, write_metrics, write_runs

if TYPE_CHECKING:
    from pathlib import Path


def test_who_only_looks_leaves_nothing(tmp_path: Path) -> None:
    """No journal, no runs, and no file made for that."""
    assert glance(StateFolder(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_glance_has_the_cost_that_cost_has(tmp_path: Path) -> None:
    """The sums of a few queries are those of `llamalift cost`, run by run."""
    state = StateFolder(tmp_path)
    write_runs(state, [ToldRun(state, "a-aaaaaa"), ToldRun(state, "b-bbbbbb", standing="finished", hours_ago=9)])
    journal = Journal(state.journal)
    for one in glance(state, now=2e9):
        cost = cost_of_run(journal, one.line.run_id, now=2e9)
        assert one.dollars == pytest.approx(cost.dollars)
        assert one.dollars_per_hour == cost.dollars_per_hour
        assert one.estimate_dollars == cost.estimate_dollars
        assert one.cap_dollars == 120.0


def test_standings(tmp_path: Path) -> None:
    """Running, failed, finished with the model at home, and paused."""
    state = StateFolder(tmp_path)
    kinds = ["running", "failed", "finished"]
    write_runs(state, [ToldRun(state, f"{kind}-aaaaaa", standing=kind) for kind in kinds])
    write_runs(state, [ToldRun(state, "paused-aaaaaa")])
    Journal(state.journal).put("paused-aaaaaa", Pausing(at=1.0, is_done=True))
    told = {one.line.run_id: one.standing for one in glance(state)}
    assert told == {f"{kind}-aaaaaa": Standing(kind) for kind in [*kinds, "paused"]}


def test_a_long_run_is_sketched_from_a_few_places(tmp_path: Path) -> None:
    """20,000 steps: where it is to the step, and a falling curve of some fifty points."""
    file = tmp_path / "metrics.jsonl"
    write_metrics(file, 20_000, 25_000, begun=0.0)
    sketch = sketch_losses(file)
    assert (sketch.step, sketch.total_steps) == (20_000, 25_000)
    assert 40 <= len(sketch.losses) <= 60
    assert [step for step, _ in sketch.losses] == sorted(step for step, _ in sketch.losses)
    assert sketch.losses[0][1] > 1.9
    assert sketch.losses[-1][1] < 0.8


def test_what_was_trained_again_counts(tmp_path: Path) -> None:
    """After a restart from a checkpoint the curve goes on from there; damaged lines are passed over."""
    file = tmp_path / "metrics.jsonl"
    events = [{"event": "step", "step": step, "loss": loss} for step, loss in ((1, 3.0), (2, 9.0), (3, 9.0), (2, 2.0))]
    file.write_text("".join(json.dumps(event) + "\n" for event in events) + '{"event": "st')
    assert sketch_losses(file).losses == ((1, 3.0), (2, 2.0))


@pytest.mark.parametrize("text", ["", "\n\n", "[1]\n", '{"event": "step"}\n', '{"event": "step", "step": "x"}\n', "\0"])
def test_odd_metrics_tell_nothing(tmp_path: Path, text: str) -> None:
    """A file without a step is no curve; so is none at all."""
    file = tmp_path / "metrics.jsonl"
    assert sketch_losses(file) == LossSketch()
    file.write_text(text)
    assert sketch_losses(file) == LossSketch()


def test_a_list_has_pages(tmp_path: Path) -> None:
    """Fifty to a page; a page beyond the last is the last, and a search begins at the first."""
    state = StateFolder(tmp_path)
    write_runs(state, [ToldRun(state, f"run-{number:06}", hours_ago=number) for number in range(ROWS + 7)])
    seen = glance(state)
    last = list_view(seen, state, word="", choice="all", page=99)
    assert (last.page, last.pages, len(last.rows), last.found) == (2, 2, 7, ROWS + 7)
    named = list_view(seen, state, word="RUN-00001", choice="running", page=1)
    assert named.found == 10
    assert not (state.root / "runs").exists()


def test_a_spark_stays_in_its_box() -> None:
    """Flat, short and empty curves, too."""
    assert spark([]) == spark([(1, 2.0)]) == ""
    for losses in ([(1, 1.0), (2, 1.0)], [(5, 3.0), (6, -1.0), (9, 2.0)]):
        points = [tuple(map(float, point.split(","))) for point in spark(losses).split()]
        assert all(0 <= x <= 120 and 0 <= y <= 28 for x, y in points)
