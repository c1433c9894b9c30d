"""`llamalift secret`: values for `secrets:` in the system's keyring, so that no shell profile need hold them."""

from __future__ import annotations

from typing import Annotated, Literal

import typer


def secret(
    action: Annotated[Literal["set", "list", "rm"], typer.Argument(help="set, list or rm.", show_default=False)],
    name: Annotated[str, typer.Argument(help="Such as HF_TOKEN; not with list.", show_default=False)] = "",
) -> None:
    """Keep values for `secrets:` of run files in the system's keyring. One in the environment goes first.

    `set` asks for the value, or reads it from standard input; it is never an argument.
    """
    import os

    from runs.keyring_store import KeyringStore, checked_name

    store = KeyringStore()
    if action == "list":
        for known in store.names():
            typer.echo(known)
        return
    checked_name(name)
    if action == "set":
        store.set(name, _asked(name))
        typer.echo(f"{name} is in the system's keyring; name it under `secrets:` in a run file", err=True)
        if os.environ.get(name):
            typer.echo(f"note: the environment has a {name}, too, which goes first", err=True)
    elif store.remove(name):
        typer.echo(f"{name} is no longer in the system's keyring", err=True)
    else:
        typer.echo(f"the system's keyring has no {name} of ours", err=True)


def _asked(name: str) -> str:
    import sys

    if sys.stdin.isatty():
        return str(typer.prompt(f"Value of {name}", hide_input=True, err=True)).strip()
    return sys.stdin.read().strip()
