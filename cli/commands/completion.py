"""`llamalift completion`: a script that lets the shell complete commands, options and run ids."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

_WHERE = {
    "bash": "llamalift completion bash > ~/.local/share/bash-completion/completions/llamalift",
    "zsh": "llamalift completion zsh > FOLDER/_llamalift, with FOLDER in your $fpath before compinit runs",
    "fish": "llamalift completion fish > ~/.config/fish/completions/llamalift.fish",
}


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="bash, zsh or fish.", show_default=False)],
) -> None:
    """Print a script for your shell that completes commands, options and run ids."""
    import sys
    from importlib import import_module

    from cli.completion.words import commands

    typer.echo(import_module(f"cli.completion.{shell}").script(commands()), nl=False)
    if sys.stdout.isatty():
        typer.echo(f"\nkeep it with: {_WHERE[shell]}", err=True)
