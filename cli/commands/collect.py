"""`llamalift collect`: bring a finished model home."""

from __future__ import annotations

from typing import Annotated

import typer


def collect(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.", show_default=False)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print where it is as JSON.")] = False,
) -> None:
    """Bring the finished model home and verify it; the machine stays up."""
    import json
    from dataclasses import asdict

    from cli.console import data, talk
    from cli.reporting import reporter
    from runs.run import Run

    opened = Run.open(run)
    with reporter(talk()) as report:
        collected = opened.collect(report)
    if as_json:
        typer.echo(json.dumps(asdict(collected)))
    else:
        data().print(collected.target, markup=False, soft_wrap=True)
