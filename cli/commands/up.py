"""`llamalift up`: from a run file to a verified model and an empty bill."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.failure import OnFailure  # noqa: TC001 - Typer reads it when it runs


def up(
    run_file: Annotated[Path, typer.Argument(help="The run file.", show_default=False)],
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the machine up after the model is home.")] = False,
    retry_until: Annotated[
        str | None,
        typer.Option(
            "--retry-until",
            metavar="TIME",
            help="Go on looking for a machine for so long (90m, 6h, 2d) or until then (2026-11-26T08:00).",
            show_default=False,
        ),
    ] = None,
    on_failure: OnFailure = None,
) -> None:
    """Rent, set up, send, train, bring home, delete: the whole journey."""
    from cli.journey import drive, moment
    from runs.run import Run

    until = moment(retry_until)
    drive(Run.create(run_file), keep=keep, on_failure=on_failure or "", retry_until=until)
