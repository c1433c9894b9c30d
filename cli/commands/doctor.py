"""`llamalift doctor`: whether this computer and this account have what llamalift needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from runs.checkup.finding import Checkup
    from runs.spec.run_file import RunFile


def doctor(
    run_file: Annotated[
        Path | None,
        typer.Argument(help="Ask for what this run file wants; else for the default size.", show_default=False),
    ] = None,
    *,
    cloud: Annotated[
        Literal["azure", "rehearsal"] | None,
        typer.Option("--cloud", help="Whose account must be right; else Azure is asked, and may be missing."),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Look at this computer only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check this computer (programs, disk, versions) and the account (sign-in, clock, rights, quota)."""
    import json
    from dataclasses import asdict

    from cli.doctor_screen import print_checkup
    from cli.waiting import said
    from runs.checkup.checkup import check_up
    from runs.state_folder import StateFolder

    if offline and cloud is not None:
        raise typer.BadParameter("only one of the two: --offline asks nobody, --cloud says whom to ask")
    spec = _spec(run_file)
    named = cloud or (spec.cloud if spec else None)
    with said() as progress:
        found = check_up(
            StateFolder.of_user(), progress, cloud=None if offline else named or "azure", is_needed=named is not None,
            machine=spec.machine if spec else None, subscription_id=spec.subscription if spec else None,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    else:
        print_checkup(found)
    if code := _exit_code(found):
        raise typer.Exit(code)


def _spec(run_file: Path | None) -> RunFile | None:
    if run_file is None:
        return None
    from runs.spec.load import load_run_file

    return load_run_file(run_file).spec


def _exit_code(found: Checkup) -> int:
    """The computer's faults go first: 2 as for wrong usage; then the account's: 3."""
    from cli.boundary import EXIT_CLOUD
    from runs.checkup.finding import Area, Verdict
    from runs.errors import RunError

    areas = {finding.area for finding in found.findings if finding.verdict is Verdict.FAIL}
    if Area.COMPUTER in areas:
        return RunError.exit_code
    return EXIT_CLOUD if areas else 0
