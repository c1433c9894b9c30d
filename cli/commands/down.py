"""`llamalift down`: delete everything of a run and prove it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from runs.receipt import Receipt


def down(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.", show_default=False)],
    *,
    discard: Annotated[bool, typer.Option("--discard", help="Do it although the model is not at home.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the receipt as JSON.")] = False,
) -> None:
    """Delete everything of a run and prove it with a receipt. Refuses while the model is not at home."""
    from cli.boundary import EXIT_INTERRUPTED
    from cli.console import talk
    from cli.journey import explain_interruption
    from cli.reporting import reporter
    from provisioning.errors import LeftoversError
    from runs.receipt import make_receipt
    from runs.run import Run

    opened = Run.open(run)
    try:
        with reporter(talk()) as report:
            receipt = opened.down(report, discard=discard)
    except LeftoversError:
        # What is gone is proven all the same; the error that follows names the rest.
        _show(make_receipt(opened.journal, opened.run_id), as_json=as_json)
        raise
    except KeyboardInterrupt:
        explain_interruption(opened)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    _show(receipt, as_json=as_json)


def _show(receipt: Receipt, *, as_json: bool) -> None:
    import json
    from dataclasses import asdict

    from cli.receipt import print_receipt

    if as_json:
        typer.echo(json.dumps(asdict(receipt)))
    else:
        print_receipt(receipt)
