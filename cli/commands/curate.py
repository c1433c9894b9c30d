"""`llamalift curate`: drop from a data set what should not be learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def curate(
    source: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="JSON list, JSON lines, Parquet, a folder of them, or hf://datasets/…"),
    ],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="What is left: .jsonl, or .json for a list.")],
    *,
    rules: Annotated[
        list[str],
        typer.Option("--rules", "-r", help="A rule file, or a shipped set: unfiltered, quality. May be repeated."),
    ],
    report: Annotated[
        Path | None,
        typer.Option("--report", help="Where the report goes, as .html and .json; else beside OUTPUT."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=256, help="Processes; else one for each core.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Drop or keep rows of a data set by rules; the same input and rules give the same bytes."""
    from cli.curation_screen import print_report, watched
    from runs.curation.curating import curate_here

    with watched() as progress:
        done = curate_here(source, output, rules, report=report, workers=workers, progress=progress)
    if as_json:
        typer.echo(done.report.to_json(), nl=False)
    else:
        print_report(done)
