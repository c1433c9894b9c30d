"""`llamalift up`: from a run file to a verified model and an empty bill."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsEvents, Keep, OnFailure, RetryUntil  # noqa: TC001 - Typer reads them when it runs


def up(
    run_file: Annotated[Path, typer.Argument(help="The run file.", show_default=False)],
    *,
    keep: Keep = False,
    retry_until: RetryUntil = None,
    on_failure: OnFailure = None,
    as_json: AsEvents = False,
    yes: Annotated[bool, typer.Option("--yes", help="Show no plan and ask nothing before it costs something.")] = False,
) -> None:
    """Rent, set up, send, train, bring home, delete: the whole journey.

    On a terminal it shows the plan first, and asks once where the run costs money.
    """
    from cli.agree import agree
    from cli.event_stream import events
    from cli.journey import drive, moment
    from runs.run import Run

    with events(wanted=as_json) as stream:
        until = moment(retry_until)
        agree(run_file, yes=yes)
        drive(Run.create(run_file), keep=keep, on_failure=on_failure or "", retry_until=until, events=stream)
