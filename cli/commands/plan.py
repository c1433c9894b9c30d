"""`llamalift plan`: whether a run can work, what it will take and cost; nothing is created."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def plan(
    run_file: Annotated[Path, typer.Argument(help="The run file.")] = Path("run.yaml"),
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nobody: what was kept, however old, else list prices.")
    ] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask everything anew.")] = False,
) -> None:
    """Check a run file, ask the cloud, and say what the run will take, cost and stop at. Creates nothing."""
    import json
    import time

    from cli.plan_screen import print_plan
    from cli.waiting import said
    from runs.plan.document import plan_json
    from runs.plan.inform import informed_plan
    from runs.plan.refusal import refusal_of
    from runs.spec.load import load_run_file
    from runs.state_folder import StateFolder

    if offline and refresh:
        raise typer.BadParameter("only one of the two: --offline asks nobody, --refresh asks everything anew")
    loaded = load_run_file(run_file)
    with said() as progress:
        made = informed_plan(loaded, StateFolder.of_user(), progress, offline=offline, refresh=refresh)
    refusal, now = refusal_of(loaded, made), time.time()
    if as_json:
        typer.echo(json.dumps(plan_json(made, now=now, refusal=refusal)))
    else:
        print_plan(made, run_file, now=now, works=refusal is None)
    if refusal is not None:
        raise refusal
