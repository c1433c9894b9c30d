"""`llamalift smoke`: the whole journey for a few cents, before you trust it with more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from runs.smoke import SmokeReport


def smoke(
    *,
    cloud: Annotated[str, typer.Option("--cloud", help="azure or rehearsal.")] = "azure",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before it costs something.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Go the whole way with a cheap machine and a tiny model, and give a verdict on every promise."""
    import json
    from dataclasses import asdict, replace

    from cli.boundary import EXIT_INTERRUPTED
    from cli.console import talk
    from cli.reporting import reporter
    from runs.smoke import clean
    from runs.smoke import smoke as go
    from runs.state_folder import StateFolder

    run_file = _prepare(cloud)
    try:
        _agree(run_file, cloud, yes=yes)
    except BaseException:  # whatever the answer was, without a yes there is no trial to keep
        clean(run_file)
        raise
    try:
        with reporter(talk()) as report:
            found = go(run_file, StateFolder.of_user(), report)
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if as_json:
        typer.echo(json.dumps({**asdict(replace(found, error=None)), "passed": found.passed}))
    else:
        _print(found)
    if found.passed:
        clean(run_file)
        return
    raise typer.Exit(_exit_code(found))


def _prepare(cloud: str) -> Path:
    import secrets

    from runs.smoke import prepare
    from runs.state_folder import StateFolder

    return prepare(cloud, StateFolder.of_user().root / "smoke" / secrets.token_hex(4))


def _agree(run_file: Path, cloud: str, *, yes: bool) -> None:
    """Say what it will cost, and ask once where that is money."""
    import sys

    from cli.console import talk
    from cli.words import cents, duration
    from runs.errors import SpecError
    from runs.smoke import quote

    offer = quote(run_file)
    what = f"{offer.size} in {offer.region} for about {duration(offer.hours * 3600)}"
    if cloud == "rehearsal":
        talk().print(
            f"a trial on the rehearsal cloud: nothing is paid (Azure: about {cents(offer.dollars)})", markup=False
        )
        return
    talk().print(f"a trial on Azure: {what}, about {cents(offer.dollars)}; everything is deleted again", markup=False)
    if yes:
        return
    if not sys.stdin.isatty():
        raise SpecError("nobody is there to be asked whether that is fine", hint="say so with `llamalift smoke --yes`")
    typer.confirm("go on?", abort=True, err=True)


def _print(found: SmokeReport) -> None:
    from rich.table import Table
    from rich.text import Text

    from cli.console import data, talk

    table = Table.grid(padding=(0, 2))
    for promise in found.promises:
        mark = Text("✓ kept", "green") if promise.kept else Text("✗ broken", "red")
        table.add_row(mark, promise.name, Text(promise.detail, "dim"))
    data().print(table)
    kept = sum(promise.kept for promise in found.promises)
    data().print(f"{kept} of {len(found.promises)} promises kept", markup=False)
    if not found.passed:
        talk().print(f"see `llamalift status {found.run_id}` and `llamalift logs {found.run_id}`", markup=False)


def _exit_code(found: SmokeReport) -> int:
    """What stopped it says the code; a broken promise without that is something left, or a model that is no good."""
    from cli.boundary import EXIT_LEFTOVERS, exit_code, explain
    from runs.errors import TrainingFailedError

    if found.error is not None:
        explain(found.error)
        return exit_code(found.error) or TrainingFailedError.exit_code
    broken = {promise.name for promise in found.promises if not promise.kept}
    left = {"every resource answered 404", "the sweep found nothing"} & broken
    return EXIT_LEFTOVERS if left else TrainingFailedError.exit_code
