"""What happened in a run, a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.words import clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from runs.timeline import Moment

_STYLES = {"problem": "red", "warning": "yellow", "stage": "bold", "save": "dim", "cloud": "dim", "note": "dim"}


def print_events(moments: Sequence[Moment]) -> None:
    """Print them to stdout: on a terminal by day, elsewhere each line with its whole time and unbroken."""
    from cli.console import data

    if data().is_terminal:
        data().print(events_view(moments))
        return
    for moment in moments:
        data().print(f"{clock(moment.at)}  {moment.kind:<8}  {moment.text}", markup=False, soft_wrap=True)


def events_view(moments: Sequence[Moment]) -> Table:
    """All of them; a new day has a line of its own."""
    from rich.table import Table
    from rich.text import Text

    table, day = Table.grid(padding=(0, 2)), ""
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for moment in moments:
        today, at = clock(moment.at).split(" ")
        if today != day:
            table.add_row(Text(today, "bold"), "", "")
            day = today
        style = _STYLES.get(moment.kind, "")
        table.add_row(Text(at, "dim"), Text(moment.kind, style), Text(moment.text, style))
    return table
