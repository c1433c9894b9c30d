"""`llamalift attempts`: where a machine was looked for, and why it was not to be had. Reads the journal only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runs.evictions import Eviction
    from runs.journal.attempts import Attempt


def attempts(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.", show_default=False)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every try to rent a machine, oldest first, with its reason."""
    import json

    from runs.evictions import evictions_of
    from runs.journal.attempts import AttemptLog
    from runs.run import Run

    found = Run.open(run)
    tries = AttemptLog(found.journal, found.run_id).all()
    if as_json:
        typer.echo(json.dumps([_as_json(one) for one in tries]))
    elif tries:
        _print_table(tries)
        _print_evictions(evictions_of(found.journal, found.run_id))
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


def _print_evictions(evictions: Sequence[Eviction]) -> None:
    """Why it was looked for again: each time that the cloud took the machine away."""
    from cli.columns import print_columns
    from cli.words import clock
    from runs.evictions import sum_words

    if not evictions:
        return
    typer.echo("")
    print_columns(
        ("EVICTED", "AT STEP", "GOES ON FROM", "WHAT IT COST"),
        [
            (
                clock(one.off_at),
                "" if one.step is None else str(one.step),
                "" if one.saved_step is None else str(one.saved_step),
                one.words,
            )
            for one in evictions
        ],
        colours=[("", "", "", "") for _ in evictions],
    )
    typer.echo(sum_words(evictions), err=True)
