"""`llamalift pause`: no compute for a while, and nothing lost."""

from __future__ import annotations

from typing import Annotated

import typer


def pause(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.", show_default=False)],
    *,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for a checkpoint.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Stop the job at a checkpoint and deallocate the machine. The disk stays, and costs; `resume` goes on."""
    import json
    from dataclasses import asdict

    from cli.console import talk
    from cli.reporting import reporter
    from cli.words import dollars
    from runs.run import Run

    opened = Run.open(run)
    with reporter(talk()) as report:
        left = opened.pause(report, at_once=now)
    if as_json:
        typer.echo(json.dumps(asdict(left)))
        return
    at = "" if left.step is None else f" at step {left.step}"
    a_day = dollars(left.dollars_per_day)
    typer.echo(f"{opened.run_id} is paused{at}; its disks and its address go on costing {a_day} a day")
    if opened.row.cloud == "rehearsal":
        typer.echo("note: rehearsal: nothing is paid; the dollars are what Azure would have taken", err=True)
    typer.echo(f"next: llamalift resume {opened.run_id}", err=True)
