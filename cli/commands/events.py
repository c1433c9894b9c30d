"""`llamalift events`: everything that happened in a run, in plain words. Asks neither machine nor cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runs.timeline import Moment


def events(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.", show_default=False)],
    *,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Begin so long ago (10m) or then (2026-11-26T08:00).", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell everything that happened in a run, oldest first, from the journal and from what its trainer told."""
    import json
    import time
    from dataclasses import asdict

    from runs.history import read_history
    from runs.moments import parse_since
    from runs.run import Run
    from runs.timeline import timeline

    begin = None if since is None else parse_since(since, time.time())
    opened = Run.open(run)
    moments = [moment for moment in timeline(read_history(opened)) if begin is None or moment.at >= begin]
    if as_json:
        told = [asdict(moment) for moment in moments]
        typer.echo(json.dumps({"schema": 1, "run_id": opened.run_id, "events": told}))
    else:
        _print(moments)


_STYLES = {"problem": "red", "warning": "yellow", "stage": "bold", "save": "dim", "cloud": "dim", "note": "dim"}


def _print(moments: Sequence[Moment]) -> None:
    """A line each; on a terminal a new day has a line of its own, elsewhere each line has its whole time."""
    from cli.console import data
    from cli.words import clock

    if data().is_terminal:
        _print_days(moments)
        return
    for moment in moments:
        typer.echo(f"{clock(moment.at)}  {moment.kind:<8}  {moment.text}")


def _print_days(moments: Sequence[Moment]) -> None:
    from rich.table import Table
    from rich.text import Text

    from cli.console import data
    from cli.words import clock

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
    data().print(table)
