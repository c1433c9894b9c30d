"""`llamalift events`: everything that happened in a run, in plain words. Asks neither machine nor cloud."""

from __future__ import annotations

from typing import Annotated

import typer


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

    from cli.events_screen import print_events
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
        print_events(moments)
