"""`llamalift report`: a run as a page to send to somebody."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.", show_default=False)],
    *,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="Where to; else ./RUN-report.", show_default=False)
    ] = None,
) -> None:
    """Write what a run was: one HTML file, the same in Markdown, and the loss curve as a PNG for a chat.

    It works while the run goes on and after its machine is gone; nothing but what is on this computer is read.
    """
    from cli.console import talk
    from cli.report.write import write_report
    from runs.errors import SpecError
    from runs.report import make_report
    from runs.run import Run

    opened = Run.open(run)
    folder = to or Path(f"{opened.run_id}-report")
    try:
        written = write_report(make_report(opened), folder)
    except OSError as error:
        raise SpecError(
            f"the report cannot be written: {folder} ({error.strerror})", hint="name another folder with --to FOLDER"
        ) from error
    for file in written:
        typer.echo(str(file))
    talk().print(f"open {written[0]} in a browser; it needs nothing beside it", markup=False)
