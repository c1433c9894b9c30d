"""`llamalift ssh`: a shell on the machine, through the system's own `ssh`."""

from __future__ import annotations

from typing import Annotated

import typer


def ssh(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.", show_default=False)],
    command: Annotated[list[str] | None, typer.Argument(help="What to run there; nothing: a shell.")] = None,
    *,
    machine: Annotated[int, typer.Option("--machine", min=1, help="Which of several machines, from 1.")] = 1,
) -> None:
    """Open a shell on the machine, with its host key pinned."""
    import os

    from runs.run import Run
    from runs.shell import ssh_argv

    words = command or []
    argv = ssh_argv(Run.open(run), words[1:] if words[:1] == ["--"] else words, machine)
    os.execvp(argv[0], argv)  # noqa: S606 - the user's own ssh takes over this terminal
