"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Keep = Annotated[bool, typer.Option("--keep", help="Leave the machine up after the model is home.")]

RetryUntil = Annotated[
    str | None,
    typer.Option(
        "--retry-until",
        metavar="TIME",
        help="Go on looking for a machine for so long (90m, 6h, 2d) or until then (2026-11-26T08:00).",
        show_default=False,
    ),
]

Move = Annotated[
    # The words of `machine.move` in the run file.
    Literal["never", "zone", "region"] | None,
    typer.Option("--move", help="How far the disk may go to find a machine again; else what the run file says."),
]

OnFailure = Annotated[
    # The words of `on_failure` in the run file.
    Literal["auto", "teardown", "deallocate", "keep", "ask"] | None,
    typer.Option("--on-failure", help="What becomes of the machine when the run fails; else what the run file says."),
]

AsEvents = Annotated[
    bool, typer.Option("--json", help="Print what happens as JSON, one event a line; the screen goes on.")
]
