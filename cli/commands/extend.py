"""`llamalift extend`: more hours or dollars for a run that lives."""

from __future__ import annotations

from typing import Annotated

import typer


def extend(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.", show_default=False)],
    *,
    hours: Annotated[float, typer.Option("--hours", help="Hours more until the machine ends itself.")] = 0.0,
    dollars: Annotated[float, typer.Option("--dollars", help="Dollars more that the run may cost.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the new limits as JSON.")] = False,
) -> None:
    """Raise the limits of a run that lives: in the journal, in the cloud and on the machine. Never lowers one."""
    import json
    from dataclasses import asdict

    from cli.console import talk
    from cli.reporting import reporter
    from cli.words import clock
    from cli.words import dollars as in_dollars
    from runs.run import Run

    opened = Run.open(run)
    with reporter(talk()) as report:
        made = opened.extend(report, hours=hours, dollars=dollars)
    if as_json:
        typer.echo(json.dumps(asdict(made)))
        return
    typer.echo(f"{opened.run_id} ends itself at {clock(made.deadline_at)}, or at {in_dollars(made.dollars_cap)}")
    if not made.machine_knows:
        typer.echo(f"its machine does not run and hears of it from `llamalift resume {opened.run_id}`", err=True)
