"""`llamalift resume`: go on with a run from wherever it stands."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import AsEvents, Keep, Move, OnFailure, RetryUntil  # noqa: TC001 - Typer reads them when it runs


def resume(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.", show_default=False)],
    *,
    keep: Keep = False,
    retry_until: RetryUntil = None,
    on_failure: OnFailure = None,
    move: Move = None,
    as_json: AsEvents = False,
) -> None:
    """Go on with a run after an interruption, from wherever it stands; nothing is done twice."""
    from cli.event_stream import events
    from cli.journey import drive, moment
    from runs.run import Run

    with events(wanted=as_json) as stream:
        until = moment(retry_until)
        opened = Run.open(run)
        drive(opened, keep=keep, on_failure=on_failure or "", retry_until=until, move=move or "", events=stream)
