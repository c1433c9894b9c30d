"""The command line: every command by name, and the boundary around them.

Command modules import what they need when they run: `llamalift --help` touches neither Azure nor SSH nor pydantic.
"""

from __future__ import annotations

from typing import Annotated

import typer

from cli.boundary import guarded
from cli.commands.adopt import adopt
from cli.commands.allow_me import allow_me
from cli.commands.attempts import attempts
from cli.commands.collect import collect
from cli.commands.completion import completion
from cli.commands.cost import cost
from cli.commands.curate import curate
from cli.commands.dashboard import dashboard
from cli.commands.doctor import doctor
from cli.commands.down import down
from cli.commands.evaluate import evaluate
from cli.commands.events import events
from cli.commands.extend import extend
from cli.commands.infer import infer
from cli.commands.init import init
from cli.commands.logs import logs
from cli.commands.ls import ls
from cli.commands.pause import pause
from cli.commands.plan import plan
from cli.commands.report import report
from cli.commands.resume import resume
from cli.commands.schema import schema
from cli.commands.secret import secret
from cli.commands.smoke import smoke
from cli.commands.ssh import ssh
from cli.commands.ssh_config import ssh_config
from cli.commands.status import status
from cli.commands.sweep import sweep
from cli.commands.up import up
from cli.quick import QuickCommand, QuickGroup

app = typer.Typer(
    name="llamalift",
    cls=QuickGroup,
    help="Rent the right Azure GPU machine, fine-tune with DeepSpeed, bring the verified model home, "
    "and prove that nothing is left to pay for.",
    no_args_is_help=True,
    # Its two options would import pydantic for every command (see cli.quick); `llamalift completion` is faster, too.
    add_completion=False,
    # Our errors go through cli.boundary; a bug keeps Python's own traceback.
    pretty_exceptions_enable=False,
    # Plain help is readable everywhere and does not pay for Rich at start.
    rich_markup_mode=None,
)

# What follows the run is another machine's command line: its options are not ours.
_FOREIGN = {"allow_interspersed_args": False}

for command in (
    init,
    schema,
    plan,
    up,
    resume,
    status,
    attempts,
    logs,
    events,
    report,
    ls,
    cost,
    collect,
    extend,
    pause,
    down,
    adopt,
    sweep,
    ssh,
    ssh_config,
    allow_me,
    secret,
    doctor,
    smoke,
    dashboard,
    infer,
    evaluate,
    completion,
    curate,
):
    app.command(cls=QuickCommand, context_settings=_FOREIGN if command is ssh else None)(command)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - Typer calls it with the flag's value
    if wanted:
        from importlib.metadata import version

        typer.echo(f"llamalift {version('llamalift')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options of llamalift itself."""


def main() -> None:
    """Run the command line; every exit code is in docs/reference/exit-codes.md."""
    guarded(app)
