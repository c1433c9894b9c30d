"""How limits are raised: from where they are, or from what is reached already; pure rules and refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runs.errors import SpecError
from runs.extend import decide, is_pending, raised
from runs.facts import Extension, Pausing
from runs.journal import Journal
from runs.pause import go_on
from runs.run import Run
from runs.state_folder import StateFolder
from runs.types import RunRow, RunState
from tests.fakes.decisions import decided

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runs.context import RunContext

NOW = 1_800_000_000.0
HOUR = 3600.0


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    """A run that has decided, and has no machine."""
    (tmp_path / "data.json").write_text("[]")
    state = StateFolder(tmp_path / "state")
    text = "name: tiny\ncloud: rehearsal\nmodel: {from: hf://a/b}\ndata: {from: ./data.json}\n"
    row = RunRow("tiny-aaaaaa", "tiny", "rehearsal", 1.0, str(tmp_path / "r.yaml"), text, "0" * 64, RunState.ACTIVE)
    journal = Journal(state.journal)
    journal.add_run(row)
    journal.put(row.run_id, decided(deadline_at=NOW))
    with Run(row, state, journal).context() as opened:
        yield opened


def test_more_is_added_to_the_limit() -> None:
    """Six hours and fifty dollars on top of what was left."""
    made = raised(decided(deadline_at=NOW + HOUR, dollars_cap=20.0), hours=6, dollars=50, now=NOW, spent=5.0)
    assert (made.deadline_at, made.dollars_cap) == (NOW + 7 * HOUR, 70.0)


def test_more_than_is_over_already() -> None:
    """In its second chance a machine is past its limit: the new hours begin now, or they would be over, too."""
    made = raised(decided(deadline_at=NOW - 10 * HOUR, dollars_cap=20.0), hours=6, dollars=1, now=NOW, spent=25.0)
    assert (made.deadline_at, made.dollars_cap) == (NOW + 6 * HOUR, 26.0)


def test_what_was_not_asked_for_stays() -> None:
    """Hours alone leave the cap alone, even one that is reached."""
    made = raised(decided(deadline_at=NOW, dollars_cap=20.0), hours=1, dollars=0, now=NOW, spent=25.0)
    assert made.dollars_cap == 20.0


@pytest.mark.parametrize(("hours", "dollars"), [(-1.0, 0.0), (1.0, -5.0), (0.0, 0.0)])
def test_a_limit_is_never_lowered(context: RunContext, hours: float, dollars: float) -> None:
    """Exit code 2, and nothing is written down."""
    with pytest.raises(SpecError) as refused:
        Run(context.row, context.state, context.journal).extend(hours=hours, dollars=dollars)
    assert refused.value.exit_code == 2
    assert context.get(Extension) is None


def test_a_run_without_a_machine_has_no_limits_to_raise(context: RunContext) -> None:
    """Its run file is the place for them."""
    with pytest.raises(SpecError, match="no machine at work"):
        Run(context.row, context.state, context.journal).extend(hours=1)


def test_a_pause_moves_the_deadline_once(context: RunContext) -> None:
    """However often `resume` is killed right after it decided so."""
    context.journal.put(context.run_id, Pausing(at=0.0, is_done=True))
    go_on(context)
    first = context.require(Extension)
    assert first.deadline_at > NOW + 1e9
    assert is_pending(context)
    go_on(context)
    assert context.require(Extension) == first


def test_without_a_pause_nothing_moves(context: RunContext) -> None:
    """An ordinary resume raises no limit."""
    go_on(context)
    assert context.get(Extension) is None
    decide(context, Extension(1.0, 0.0, NOW, 1.0, cloud_knows=True, machine_knows=True))
    assert not is_pending(context)
