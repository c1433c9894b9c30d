"""`llamalift cost`: what runs have cost, and what goes on costing."""

from __future__ import annotations

from typing import Annotated

import typer


def cost(
    run: Annotated[
        str | None, typer.Argument(help="Run id, or its beginning; without it, every run.", show_default=False)
    ] = None,
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the cloud what still runs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what runs have cost, every component, against the plan's estimate, and what goes on costing."""
    import json

    from cli.cost_screen import print_costs
    from runs.costs import cost_json, costs
    from runs.state_folder import StateFolder

    found = costs(StateFolder.of_user(), run, offline=offline)
    if as_json:
        typer.echo(json.dumps(cost_json(found)))
    elif found:
        print_costs(found, by_component=run is not None)
    else:
        typer.echo("no runs yet; begin with `llamalift init`", err=True)
