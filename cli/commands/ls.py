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


_COLOURS = {"running": "cyan", "done": "green", "failed": "red", "ended": "bright_black"}


def _print_table(lines: Sequence[OverviewLine]) -> None:
    from cli.columns import print_columns
    from cli.words import age

    print_columns(
        ("RUN", "CLOUD", "STAGE", "STATE", "CREATED", "RESOURCES"),
        [(x.run_id, x.cloud, x.stage, x.state or "new", age(x.created_at), str(x.resources)) for x in lines],
        colours=[("", "", "", _COLOURS.get(x.state, ""), "", "") for x in lines],
    )
