"""What `up` shows and asks before it begins."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def agree(run_file: Path, *, yes: bool) -> None:
    """Show the plan to whoever sits there, and ask once where the run costs money.

    A rehearsal costs nothing, so nobody is asked. With `yes`, and in a script of a rehearsal, nothing is shown either.

    Raises:
        SpecError: The run file is wrong; or it costs money, and nobody is there to be asked.
        ProvisioningError: The run cannot begin as things are.
        Abort: The answer was no. Nothing exists.
    """
    from runs.errors import SpecError
    from runs.spec.load import load_run_file

    if yes:
        return
    loaded = load_run_file(run_file)
    costs = loaded.spec.cloud != "rehearsal"
    if sys.stdin.isatty() and sys.stderr.isatty():
        _show(run_file)
        if costs:
            _ask()
    elif costs:
        raise SpecError(
            "nobody is there to be asked whether the run may cost money",
            hint=f"look with `llamalift plan {run_file}`, then say so: `llamalift up {run_file} --yes`",
        )


def _show(run_file: Path) -> None:
    """Print the plan where progress goes: what `up` answers on standard output is its own."""
    import time

    from cli.console import talk
    from cli.plan_screen import plan_lines
    from cli.waiting import said
    from runs.plan.inform import informed_plan
    from runs.plan.refusal import refusal_of
    from runs.spec.load import load_run_file
    from runs.state_folder import StateFolder

    loaded = load_run_file(run_file)
    with said() as progress:
        made = informed_plan(loaded, StateFolder.of_user(), progress)
    for line in plan_lines(made, talk().width, time.time()):
        talk().print(line)
    for note in made.notes:
        talk().print(f"note: {note}", markup=False)
    talk().print()
    if (refusal := refusal_of(loaded, made)) is not None:
        raise refusal


def _ask() -> None:
    import typer

    typer.confirm("go on?", abort=True, err=True)
