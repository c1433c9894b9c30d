"""`llamalift adopt`: go on with a run that another computer began, or whose journal was lost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def adopt(
    run: Annotated[str, typer.Argument(help="The whole run id.", show_default=False)],
    *,
    cloud: Annotated[str, typer.Option("--cloud", help="azure or rehearsal.")] = "azure",
    subscription: Annotated[
        str, typer.Option("--subscription", help="Where to look, if your account has several.", metavar="ID")
    ] = "",
    run_file: Annotated[
        str, typer.Option("--run-file", help="Your copy of the run file, if the machine is gone.", metavar="RUN.yaml")
    ] = "",
    start: Annotated[bool, typer.Option("--start", help="Start the machine if it is deallocated.")] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Although another computer seems to drive the run.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a run known to this computer, from the cloud and the run's machine; nothing is created.

    The machine gets a new key for this computer instead of the former one, and port 22 is opened to this address.
    """
    import json

    from cli.console import talk
    from runs.adoption.adopt import Wish, adopt
    from runs.state_folder import StateFolder

    console = talk()
    wish = Wish(
        run_id=run, cloud=cloud, subscription_id=subscription or None, run_file=Path(run_file) if run_file else None,
        start=start, take_over=take_over,
    )  # fmt: skip
    adoption = adopt(wish, StateFolder.of_user(), lambda what: console.print(f"  {what}", markup=False))
    if as_json:
        answer = {"run_id": run, "was_known": adoption.was_known, "resources": adoption.resources}
        typer.echo(json.dumps({**answer, "notes": adoption.notes}))
        return
    words = "known already, refreshed" if adoption.was_known else "adopted"
    console.print(f"{run} {words}: {adoption.resources} resources in the cloud", markup=False)
    for note in adoption.notes:
        console.print(f"note: {note}", markup=False)
    console.print(f"next: llamalift status {run}", markup=False)
