"""`llamalift down`: delete everything of a run and prove it."""

from __future__ import annotations

from typing import Annotated

import typer


def down(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.", show_default=False)],
    *,
    discard: Annotated[bool, typer.Option("--discard", help="Do it although the model is not at home.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the receipt as JSON.")] = False,
) -> None:
    """Delete everything of a run and prove it with a receipt. Refuses while the model is not at home."""
    import json
    from dataclasses import asdict

    from cli.boundary import EXIT_INTERRUPTED
    from cli.console import talk
    from cli.journey import explain_interruption
    from cli.receipt import print_receipt
    from cli.reporting import reporter
    from runs.run import Run

    opened = Run.open(run)
    try:
        with reporter(talk()) as report:
            receipt = opened.down(report, discard=discard)
    except KeyboardInterrupt:
        explain_interruption(opened)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if as_json:
        typer.echo(json.dumps(asdict(receipt)))
    else:
        print_receipt(receipt)
