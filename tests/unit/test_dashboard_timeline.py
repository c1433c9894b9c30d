"""A run's time in lanes, its figures and its money: whatever a run has, everything is inside the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.dashboard.run_view import cost_bar, notices, tiles
from cli.dashboard.timeline import axis, timeline
from runs.history import read_history
from runs.run import Run
from runs.state_folder import StateFolder
from runs.watch import Heard
from tests.fakes.told_runs import ToldRun

if TYPE_CHECKING:
    from pathlib import Path

    from runs.history import RunHistory


def history(folder: Path, *, standing: str = "running", message: str = "", evicted: bool = False) -> RunHistory:
    """A run of five hours, read."""
    state = StateFolder(folder)
    ToldRun(state, "demo-aaaaaa", standing=standing, message=message, evicted=evicted, steps=600).write()
    return read_history(Run.open("demo-aaaaaa", state=state))


@pytest.mark.parametrize("standing", ["running", "failed", "finished"])
def test_everything_is_inside(tmp_path: Path, standing: str) -> None:
    """No span, mark or tick leaves the picture, and each lane has something in it."""
    told = history(tmp_path, standing=standing, message="oh", evicted=True)
    seen = timeline(told, told.row.created_at + 5 * 3600)
    assert [lane.name for lane in seen.lanes] == ["provision", "bootstrap", "sync", "train", "saves", "evicted"]
    for lane in seen.lanes:
        assert lane.spans or lane.marks
        assert all(span.left >= 0 and span.width > 0 and span.left + span.width <= 100.001 for span in lane.spans)
        assert all(0 <= mark.left <= 100 for mark in lane.marks)


def test_each_fault_is_told_and_marked_once(tmp_path: Path) -> None:
    """An eviction and a problem: in the list in order of time, and in the lane of the stage that ran."""
    told = history(tmp_path, message="the loss is no number", evicted=True)
    seen = timeline(told, told.row.created_at + 5 * 3600)
    assert [fault.kind for fault in seen.faults] == ["evicted", "problem"]
    marks = {lane.name: len(lane.marks) for lane in seen.lanes}
    assert marks["train"] == 2
    assert marks["provision"] == 0


@given(st.floats(0, 400 * 86400))
def test_an_axis_has_a_few_whole_numbers(seconds: float) -> None:
    """From seconds to a year: at most six ticks, from 0 on, none beyond the end."""
    ticks = list(axis(seconds))
    assert 1 <= len(ticks) <= 6
    assert ticks[0] == (0.0, "0")
    assert all(0 <= left <= 100 for left, _ in ticks)
    assert len({words for _, words in ticks}) == len(ticks)


def test_a_cost_bar_has_room_for_all(tmp_path: Path) -> None:
    """Spent, planned and cap are inside, in proportion."""
    bar = cost_bar(history(tmp_path))
    assert bar.planned is not None
    assert bar.cap is not None
    assert 0 < bar.planned < bar.spent < bar.cap < 100


def test_a_silent_machine_is_told_calmly(tmp_path: Path) -> None:
    """Why it is silent, and that the job goes on; the figures that are known stay."""
    told, heard = history(tmp_path), Heard(silence="no answer from 192.0.2.1")
    words = [(notice.kind, notice.words, notice.hint) for notice in notices(told, heard)]
    calm = "The job goes on without this connection."
    assert words == [("silent", "The machine does not answer: no answer from 192.0.2.1", calm)]
    names = [tile.name for tile in tiles(told, heard, told.row.created_at + 3600)]
    assert names == ["Step", "Loss", "Speed", "Checkpoint", "Cost", "Deadline"]


def test_a_failed_run_says_how_to_go_on(tmp_path: Path) -> None:
    """The stage, what was said, and the next command."""
    notice = next(notices(history(tmp_path, standing="failed", message="out of memory"), Heard()))
    assert notice.words == "train failed: out of memory"
    assert notice.hint == "go on with `llamalift resume demo-aaaaaa`"
