"""`llamalift dashboard`: a local read-only page of all runs."""

from __future__ import annotations

from typing import Annotated

import typer


def dashboard(
    *,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0: any free one.", show_default="8642"),
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")] = True,
) -> None:
    """Show all runs on a page of your own browser: curves, timeline, cost, logs. It only looks, and only you can.

    It goes on until Ctrl-C. The address has a token; the browser keeps a cookie in its place.
    """
    import sys
    import webbrowser

    from cli.console import talk
    from cli.dashboard.serve import serve
    from runs.state_folder import StateFolder

    def welcome(address: str) -> None:
        typer.echo(address)
        sys.stdout.flush()
        talk().print("the dashboard is there until Ctrl-C; whoever has this address on this computer can look")
        if browser and sys.stdout.isatty():
            webbrowser.open(address)

    serve(StateFolder.of_user(), port, welcome)
