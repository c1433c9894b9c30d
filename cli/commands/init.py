"""`llamalift init`: a run file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def init(
    folder: Annotated[Path, typer.Argument(help="Folder to write into; made when absent.")] = Path(),
    *,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", help="What to start from: tiny-cpu, wizardlm-7b or starter.", show_default=False),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What the run is called.")] = None,
    cloud: Annotated[Literal["azure", "rehearsal"] | None, typer.Option("--cloud", help="Where it is to run.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Base weights: a folder, or hf://owner/name.")] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", help="What to train on: a .json or .jsonl file, or hf://datasets/owner/name/file.json."),
    ] = None,
    spot: Annotated[
        bool | None,
        typer.Option("--spot/--on-demand", help="Much cheaper, and evicted now and then; or not.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: what is not said is the recipe's.")] = False,
) -> None:
    """Write a commented run file, with what it needs beside it. Nothing is ever overwritten.

    On a terminal it asks for what is not said; in a script, and with --recipe, it does not.
    """
    from cli.asking import answers, is_asking
    from cli.console import talk
    from runs.spec.recipes import Wishes, recipes, refuse_overwriting, write_recipe

    wishes = Wishes(name=name, cloud=cloud, model=model, data=data, spot=spot)
    if recipe is None and not yes and is_asking():
        refuse_overwriting(folder)
        recipe, wishes = answers(wishes)
    recipe = recipe or "starter"
    run_file = write_recipe(recipe, folder, wishes)
    typer.echo(str(run_file))
    console = talk()
    console.print(f"{recipe}: {next(known.summary for known in recipes() if known.name == recipe)}", markup=False)
    console.print(f"next: llamalift plan {run_file}", markup=False)
