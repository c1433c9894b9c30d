"""`llamalift logs`: the training log."""

from __future__ import annotations

from typing import Annotated

import typer


def logs(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.", show_default=False)],
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Every byte, with colours and whatever else is in it.")] = False,
) -> None:
    """Print the training log; it works after the machine is gone, too.

    Terminal escapes are left out: what runs on the machine must not act on this terminal.
    """
    import sys

    from remote.text import LogText
    from runs.logs import read_log
    from runs.run import Run

    opened, is_empty, text = Run.open(run), True, LogText()
    for piece in read_log(opened, follow=follow):
        is_empty = is_empty and not piece
        sys.stdout.buffer.write(piece if raw else text.feed(piece).encode())
        sys.stdout.buffer.flush()
    sys.stdout.buffer.write(text.end().encode())
    if is_empty:
        typer.echo(f"no log: training has not begun; see `llamalift status {opened.run_id}`", err=True)
