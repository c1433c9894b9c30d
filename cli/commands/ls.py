"""`llamalift ls`: the runs that this computer knows. Reads the journal only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runs.overview import OverviewLine


def ls(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the runs that this computer knows, newest first."""
    import json
    from dataclasses import asdict

    from runs.overview import overview
    from runs.state_folder import StateFolder

    lines = overview(StateFolder.of_user())
    if as_json:
        typer.echo(json.dumps([asdict(line) for line in lines]))
    elif lines:
        _print_table(lines)
    else:
        typer.echo("no runs yet; begin with `llamalift init`", err=True)


_STYLES = {"running": "cyan", "done": "green", "failed": "red", "ended": "dim"}


def _print_table(lines: Sequence[OverviewLine]) -> None:
    from rich.table import Table
    from rich.text import Text

    from cli.console import data
    from cli.words import age

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("RUN", "CLOUD", "STAGE", "STATE", "CREATED", "RESOURCES"):
        table.add_column(heading, no_wrap=True)
    for line in lines:
        state = Text(line.state or "new", style=_STYLES.get(line.state, ""))
        table.add_row(line.run_id, line.cloud, line.stage, state, age(line.created_at), str(line.resources))
    data().print(table)
