"""`llamalift allow-me`: the machine lets this computer in under its new address."""

from __future__ import annotations

from typing import Annotated

import typer


def allow_me(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.", show_default=False)],
    *,
    caller: Annotated[
        str,
        typer.Option("--from", help="Another address or network instead of this computer's own.", metavar="CIDR"),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Open the machine's port 22 to this computer's address instead of the former one.

    `up`, `resume`, `status` and `ssh` do the same by themselves when the machine stays silent.
    """
    import json
    from dataclasses import asdict

    from cli.console import talk
    from runs.callers import allow
    from runs.run import Run

    console = talk()
    opened = Run.open(run)
    with opened.context() as context:
        admitted = allow(context, caller or None, lambda what: console.print(f"  {what}", markup=False))
    if as_json:
        typer.echo(json.dumps(asdict(admitted)))
    elif admitted.has_changed:
        typer.echo(f"port 22 of {opened.run_id} is open to {admitted.now}, no more to {admitted.before}")
    else:
        typer.echo(f"port 22 of {opened.run_id} is open to {admitted.now} already")
    if admitted.addresses > 1:
        console.print(f"note: that is {admitted.addresses:,} addresses; who has none of the run's keys is refused")
