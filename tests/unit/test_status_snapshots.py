"""Status as a person reads it, at 80 and 120 columns, with colour and without: a reviewer reads the snapshots."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from cli.status_screen import one_line, status_view
from tests.fakes import seen_runs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from syrupy.assertion import SnapshotAssertion

    from runs.status import RunStatus

pytestmark = pytest.mark.usefixtures("utc")

LOOKS = {
    "running": seen_runs.running,
    "silent": seen_runs.silent,
    "failed": seen_runs.failed,
    "verifying": seen_runs.verifying,
    "at home": seen_runs.at_home,
}


def drawn(seen: RunStatus, *, width: int, colours: bool = False) -> str:
    """The screen."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=colours, color_system="standard" if colours else None)
    console.print(status_view(seen, width=width, now=seen_runs.NOW))
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_a_status_says_all_of_it_on_one_screen(
    look: Callable[[Path], RunStatus], width: int, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    """Stages, step, loss, speed, GPUs, disk, checkpoint, work at risk, money, switches, the last problem."""
    text = drawn(look(tmp_path), width=width)
    assert len(text.splitlines()) <= 30
    assert max(map(len, text.splitlines())) <= width
    assert "\n".join(line.rstrip() for line in text.splitlines()) == snapshot


def test_colours_say_nothing_that_words_do_not(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    """The same text in both; colours only help the eye."""
    seen = seen_runs.running(tmp_path)
    coloured = drawn(seen, width=80, colours=True)
    assert coloured == snapshot
    assert "".join(part.split("m", 1)[-1] for part in coloured.split("\x1b[")) == drawn(seen, width=80)


@pytest.mark.parametrize("width", [20, 40, 60])
def test_a_narrow_terminal_loses_no_fact(width: int, tmp_path: Path) -> None:
    """Lines wrap; the number of the step stays."""
    text = "".join(drawn(seen_runs.running(tmp_path), width=width).split())
    assert "640of1288" in text


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_one_line_is_enough_to_know_where_it_stands(
    look: Callable[[Path], RunStatus], tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    """What is left on the terminal when nobody watches any more."""
    line = one_line(look(tmp_path))
    assert "\n" not in line
    assert line.split(", as of")[0] == snapshot
