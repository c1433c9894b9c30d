"""`llamalift up`: from a run file to a verified model and an empty bill."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def up(
    run_file: Annotated[Path, typer.Argument(help="The run file.", show_default=False)],
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the machine up after the model is home.")] = False,
) -> None:
    """Rent, set up, send, train, bring home, delete: the whole journey."""
    from cli.journey import drive
    from runs.run import Run

    drive(Run.create(run_file), keep=keep)
