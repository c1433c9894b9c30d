"""`llamalift status`: where a run stands, in one SSH round trip; without a run, where all of them do."""

from __future__ import annotations

from typing import Annotated

import typer


def status(
    run: Annotated[
        str | None, typer.Argument(help="Run id, or its beginning; without it, every run.", show_default=False)
    ] = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again every two seconds, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; with --watch, a line for each look.")] = False,
) -> None:
    """Show where a run stands: stages, step, loss, checkpoints, GPUs, disk, cost, limits, the last problem."""
    if run is None:
        _all(watch=watch, as_json=as_json)
    elif watch:
        from cli.watching import watch_run

        watch_run(run, as_json=as_json)
    else:
        _one(run, as_json=as_json)


def _one(run: str, *, as_json: bool) -> None:
    import json

    from cli.status_screen import print_status
    from runs.run import Run
    from runs.status import look
    from runs.status_json import status_json

    seen = look(Run.open(run))
    if as_json:
        typer.echo(json.dumps(status_json(seen)))
    else:
        print_status(seen)


def _all(*, watch: bool, as_json: bool) -> None:
    import json
    from dataclasses import asdict

    from runs.fleet import fleet
    from runs.state_folder import StateFolder

    if watch:
        from runs.errors import SpecError

        raise SpecError("one run can be watched at a time", hint="name it: `llamalift status --watch RUN`")
    lines = fleet(StateFolder.of_user())
    if as_json:
        typer.echo(json.dumps({"schema": 1, "runs": [asdict(line) for line in lines]}))
    elif lines:
        from cli.fleet_screen import print_fleet

        print_fleet(lines)
    else:
        typer.echo("no runs yet; begin with `llamalift init`", err=True)
