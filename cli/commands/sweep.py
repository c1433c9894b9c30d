"""`llamalift sweep`: everything of ours in the whole subscription, whichever computer made it."""

from __future__ import annotations

from typing import Annotated

import typer


def sweep(
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Delete what was found, after asking for each run.")] = False,
    run: Annotated[str | None, typer.Option("--run", help="Only this run id, in full.", show_default=False)] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    discard: Annotated[bool, typer.Option("--discard", help="Also what may hold a model that is not at home.")] = False,
    cloud: Annotated[str, typer.Option("--cloud", help="azure or rehearsal.")] = "azure",
    subscription: Annotated[
        str | None, typer.Option("--subscription", help="Azure subscription id; else the one in use.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find everything that llamalift made in the subscription and is still there; exit code 6 when something is."""
    import json

    from cli.boundary import EXIT_LEFTOVERS
    from cli.sweeping import check_may_ask, found_json, print_found, remove_found
    from provisioning.clouds import open_cloud
    from runs.state_folder import StateFolder
    from runs.sweep import sweep as find

    if remove and not yes:
        check_may_ask()
    state = StateFolder.of_user()
    opened = open_cloud(cloud, subscription_id=subscription, state_folder=state.root)
    try:
        account = opened.account()
        found = find(opened, state, run)
        if not as_json:
            print_found(found, account.display_name or account.subscription_id, is_looking=not remove)
        removals = remove_found(found, opened, state, yes=yes, discard=discard) if remove else {}
    finally:
        opened.close()
    if as_json:
        typer.echo(json.dumps(found_json(found, removals, cloud=cloud, subscription_id=account.subscription_id)))
    if any(each.run_id not in removals or not removals[each.run_id].is_removed for each in found):
        raise typer.Exit(EXIT_LEFTOVERS)
