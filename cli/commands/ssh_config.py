"""`llamalift ssh-config`: the machine for plain `ssh`, `scp`, `rsync`, `sftp` and editors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from runs.ssh_access import SshAccess


def ssh_config(
    run: Annotated[str, typer.Argument(help="Run id, or its beginning.", show_default=False)],
    *,
    install: Annotated[
        bool, typer.Option("--install", help="Name it in ~/.ssh/config, until the run is torn down.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the path of an ssh_config for the machine: its host key pinned, the run's own key, nothing else."""
    import json
    from dataclasses import asdict

    from runs.run import Run
    from runs.ssh_access import ssh_access

    access = ssh_access(Run.open(run), install=install)
    if as_json:
        typer.echo(json.dumps(asdict(access), default=str))
        return
    typer.echo(access.file)
    for line in _uses(access):
        typer.echo(line, err=True)


def _uses(access: SshAccess) -> list[str]:
    import shlex

    if access.installed_in is not None:
        return [
            f"{access.host} is named in {access.installed_in}, until the run is torn down:",
            f"  ssh {access.host}",
            f"  rsync -a {access.host}:/workspace/llamalift/ COPY/",
            f"  code --remote ssh-remote+{access.host} /workspace",
        ]
    file = shlex.quote(str(access.file))
    return [
        f"ssh -F {file} {access.host}",
        f"rsync -a -e {shlex.quote(f'ssh -F {file}')} {access.host}:/workspace/llamalift/ COPY/",
        "for editors, or without -F: add --install",
    ]
