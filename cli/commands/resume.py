"""`llamalift resume`: go on with a run from wherever it stands."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import Keep, Move, OnFailure, RetryUntil  # noqa: TC001 - Typer reads them when it runs


def resume(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.", show_default=False)],
    *,
    keep: Keep = False,
    retry_until: RetryUntil = None,
    on_failure: OnFailure = None,
    move: Move = None,
) -> None:
    """Go on with a run after an interruption, from wherever it stands; nothing is done twice."""
    from cli.journey import drive, moment
    from runs.run import Run

    until = moment(retry_until)
    drive(Run.open(run), keep=keep, on_failure=on_failure or "", retry_until=until, move=move or "")
