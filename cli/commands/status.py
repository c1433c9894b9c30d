"""`llamalift status`: where a run stands, in one SSH round trip."""

from __future__ import annotations

from typing import Annotated

import typer


def status(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.", show_default=False)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show where a run stands: stages, step, loss, checkpoints, disk, limits."""
    import json
    from dataclasses import asdict

    from cli.status_screen import print_status
    from runs.run import Run
    from runs.status import look

    seen = look(Run.open(run))
    if as_json:
        typer.echo(json.dumps(asdict(seen), default=_text))
    else:
        print_status(seen)


def _text(value: bytes) -> str:
    """The new piece of log; a piece may begin or end within a character."""
    return value.decode("utf-8", errors="replace")
