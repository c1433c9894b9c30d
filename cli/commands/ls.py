"""`llamalift ls`: the runs that this computer knows. Reads the journal only, unless it is told to ask the cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runs.overview import OverviewLine
    from runs.state_folder import StateFolder


def ls(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    cloud: Annotated[bool, typer.Option("--cloud", help="Ask the cloud, once for all runs, what it has.")] = False,
) -> None:
    """List the runs that this computer knows, newest first."""
    import json
    from dataclasses import asdict

    from runs.overview import overview
    from runs.state_folder import StateFolder

    state = StateFolder.of_user()
    lines = overview(state)
    said = _ask_cloud(state) if cloud else None
    if as_json:
        typer.echo(
            json.dumps([asdict(x) | ({} if said is None else {"in_cloud": said.get(x.run_id, "")}) for x in lines])
        )
    elif lines:
        _print_table(lines, said)
    else:
        typer.echo("no runs yet; begin with `llamalift init`", err=True)


def _ask_cloud(state: StateFolder) -> dict[str, str]:
    from runs.cloud_overview import cloud_overview

    return cloud_overview(state)


_COLOURS = {"running": "cyan", "done": "green", "failed": "red", "ended": "bright_black"}


def _print_table(lines: Sequence[OverviewLine], said: Mapping[str, str] | None) -> None:
    from cli.columns import print_columns
    from cli.words import age

    more = () if said is None else ("IN CLOUD",)
    print_columns(
        ("RUN", "CLOUD", "STAGE", "STATE", "CREATED", "RESOURCES", *more),
        [
            (
                x.run_id, x.cloud, x.stage, x.state or "new", age(x.created_at), str(x.resources),
                *(() if said is None else (said.get(x.run_id, ""),)),
            )
            for x in lines
        ],
        colours=[("", "", "", _COLOURS.get(x.state, ""), "", "", *("" for _ in more)) for x in lines],
    )  # fmt: skip
