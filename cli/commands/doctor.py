"""`llamalift doctor`: whether this computer has what llamalift needs."""

from __future__ import annotations

import typer


def doctor() -> None:
    """Check this computer: Python, SSH, the rehearsal cloud, the state folder."""
    from cli.console import data
    from runs.checks import check_computer

    findings = check_computer()
    for finding in findings:
        mark = "[green]ok  [/]" if finding.is_good else "[yellow]note[/]" if finding.is_optional else "[red]bad [/]"
        data().print(f"{mark} {finding.subject:<12} ", end="")
        data().print(finding.fact, markup=False, soft_wrap=True)
        if finding.hint:
            data().print(f"     {'':<12} {finding.hint}", markup=False, soft_wrap=True, style="dim")
    if any(not finding.is_good and not finding.is_optional for finding in findings):
        raise typer.Exit(2)
