"""`llamalift attempts`: where a machine was looked for, and why it was not to be had. Reads the journal only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runs.journal.attempts import Attempt


def attempts(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.", show_default=False)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every try to rent a machine, oldest first, with its reason."""
    import json

    from runs.journal.attempts import AttemptLog
    from runs.run import Run

    found = Run.open(run)
    tries = AttemptLog(found.journal, found.run_id).all()
    if as_json:
        typer.echo(json.dumps([_as_json(one) for one in tries]))
    elif tries:
        _print_table(tries)
    else:
        typer.echo("nothing was tried yet", err=True)


def _as_json(one: Attempt) -> dict[str, Any]:
    """One flat object, as scripts like it."""
    from dataclasses import asdict

    values = asdict(one)
    return {**values.pop("placement"), **values}


_COLOURS = {"rented": "green", "refused": "red"}


def _print_table(tries: Sequence[Attempt]) -> None:
    from cli.columns import print_columns
    from cli.words import clock, duration

    print_columns(
        ("BEGAN", "TOOK", "REGION", "ZONE", "SIZE", "PRICE", "OUTCOME", "CODE"),
        [
            (
                clock(one.at),
                "" if one.ended_at is None else duration(one.ended_at - one.at),
                one.placement.region,
                one.placement.zone or "none",
                one.placement.size,
                "spot" if one.placement.spot else "on demand",
                str(one.outcome) or "goes on",
                one.code,
            )
            for one in tries
        ],
        colours=[("", "", "", "", "", "", _COLOURS.get(one.outcome, ""), "") for one in tries],
    )
