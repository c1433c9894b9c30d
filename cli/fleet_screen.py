"""All runs, a line each."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from cli.columns import print_columns
from cli.words import age, cents, dollars, duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runs.fleet import RunLine

_COLOURS = {
    "running": "cyan",
    "done": "green",
    "failed": "red",
    "paused": "yellow",
    "silent": "yellow",
    "ended": "bright_black",
}
# What is left out first where the terminal is narrow.
_WIDE = 120
_USUAL = 105


def print_fleet(lines: Sequence[RunLine], *, width: int | None = None, now: float | None = None) -> None:
    """Print them to stdout; `width` is that of the terminal and `now` the time, where they are not to be asked."""
    columns = width or shutil.get_terminal_size().columns
    headings = ["RUN", "STAGE", "STATE", "STEP", "LOSS", "LEFT", "SPENT"]
    rows = [[*_usual(line, with_cap=columns >= _USUAL)] for line in lines]
    if columns >= _USUAL:
        headings.append("CREATED")
        rows = [[*row, age(line.created_at, now)] for row, line in zip(rows, lines, strict=True)]
    if columns >= _WIDE:
        headings[5:5] = ["TOKENS/S"]
        for row, line in zip(rows, lines, strict=True):
            row[5:5] = [f"{line.tokens_per_second:,.0f}" if line.tokens_per_second else ""]
    state = headings.index("STATE")
    colours = [
        [_COLOURS.get(row[state], "") if index == state else "" for index in range(len(headings))] for row in rows
    ]
    print_columns(headings, rows, colours=colours)


def _usual(line: RunLine, *, with_cap: bool) -> tuple[str, ...]:
    has_cap = with_cap and line.dollars_cap is not None and line.state != "ended"
    cap = f" of {dollars(line.dollars_cap or 0.0)}" if has_cap else ""
    return (
        line.run_id,
        line.stage,
        "silent" if line.silence else line.state or "new",
        "" if line.step is None else f"{line.step}/{line.total_steps}",
        "" if line.loss is None else f"{line.loss:.3f}",
        duration(line.seconds_left) if line.seconds_left else "",
        f"{cents(line.dollars)}{cap}" if line.dollars or cap else "",
    )
