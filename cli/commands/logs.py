"""`llamalift logs`: the training log."""

from __future__ import annotations

from typing import Annotated

import typer


def logs(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.", show_default=False)],
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Begin so long ago (10m, 6h) or then (2026-11-26T08:00).", show_default=False
        ),
    ] = None,
    grep: Annotated[
        str | None,
        typer.Option(metavar="PATTERN", help="Only lines with this regular expression.", show_default=False),
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Only this stage of `train`, or this part: loading, training, saving_final, verifying.",
            show_default=False,
        ),
    ] = None,
    machine: Annotated[int, typer.Option("--machine", min=1, help="Which of several machines, from 1.")] = 1,
    raw: Annotated[bool, typer.Option("--raw", help="Every byte, with whatever is in it, and no filter.")] = False,
) -> None:
    """Print the training log; it works after the machine is gone, too.

    Of a progress bar its newest state is shown. On a terminal colours stay; every other terminal escape is left out:
    what runs on the machine must not act on this terminal.
    """
    from cli.log_filter import LogFilter
    from cli.log_screen import print_log, print_raw
    from runs.history import metrics_file
    from runs.run import Run

    if machine > 1 and (since or stage):
        raise typer.BadParameter(
            "only the first machine's log tells times and parts", param_hint="--since" if since else "--stage"
        )
    opened = Run.open(run)
    if raw:
        print_raw(opened, follow=follow, machine=machine)
    else:
        wanted = LogFilter.of(metrics_file(opened), since=since, grep=grep, stage=stage)
        print_log(opened, wanted, follow=follow, machine=machine)
