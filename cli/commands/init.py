"""`llamalift init`: a run file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(help="Folder to write into; made when absent.")] = Path(),
    *,
    recipe: Annotated[str, typer.Option(help="What to start from: starter, tiny-cpu or wizardlm-7b.")] = "starter",
) -> None:
    """Write a commented run file, with what it needs beside it. Nothing is ever overwritten."""
    from cli.console import talk
    from runs.spec.recipes import recipes, write_recipe

    run_file = write_recipe(recipe, folder)
    summary = next(known.summary for known in recipes() if known.name == recipe)
    typer.echo(str(run_file))
    console = talk()
    console.print(f"{recipe}: {summary}", markup=False)
    console.print(f"next: llamalift plan {run_file}", markup=False)
