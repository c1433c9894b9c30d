"""`llamalift --help`, kept in `help.txt`: whoever looks for a command is not to wait for Typer.

`python -m cli.help_text` writes it anew; a test compares it with what Typer would say.
"""

from __future__ import annotations

import os
import sys

_FILE = os.path.join(os.path.dirname(__file__), "help.txt")  # noqa: PTH118, PTH120 - pathlib is slow to load


def print_kept_help() -> None:
    """Print it; quietly where nobody reads."""
    from cli.boundary import EXIT_CLOSED_PIPE

    with open(_FILE, encoding="utf-8") as file:  # noqa: PTH123 - pathlib is slow to load
        text = file.read()
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_CLOSED_PIPE)


def made_help() -> str:
    """What Typer says, at its full width."""
    import typer

    from cli.app import app

    group = typer.main.get_command(app)
    context = group.make_context("llamalift", [], resilient_parsing=True, terminal_width=78)
    return f"{group.get_help(context)}\n"


if __name__ == "__main__":
    with open(_FILE, "w", encoding="utf-8") as kept:  # noqa: PTH123 - as above
        kept.write(made_help())
