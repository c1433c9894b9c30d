"""`llamalift logs`: the training log."""

from __future__ import annotations

from typing import Annotated

import typer


def logs(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.", show_default=False)],
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
) -> None:
    """Print the training log; it works after the machine is gone, too."""
    import sys

    from runs.logs import read_log
    from runs.run import Run

    opened, is_empty = Run.open(run), True
    for piece in read_log(opened, follow=follow):
        is_empty = is_empty and not piece
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    if is_empty:
        typer.echo(f"no log: training has not begun; see `llamalift status {opened.run_id}`", err=True)
