"""A check-up on the screen: a line for each check, what to do about it below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.console import data
from runs.checkup.finding import Verdict

if TYPE_CHECKING:
    from runs.checkup.finding import Checkup

_STYLES = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "bold red"}


def print_checkup(found: Checkup) -> None:
    """Print it to stdout."""
    from rich.text import Text

    console = data()
    console.print(f"llamalift {found.version}", markup=False)
    area = ""
    for finding in found.findings:
        if finding.area != area:
            area = finding.area
            of = f" ({found.cloud})" if area == "account" else ""
            console.print(f"\n{area}{of}", style="bold", markup=False)
        mark = Text(f"  {finding.verdict:<5}", _STYLES[finding.verdict])
        console.print(Text.assemble(mark, f"{finding.subject:<12}", finding.fact), soft_wrap=True)
        if finding.hint:
            console.print(Text(f"{'':19}{finding.hint}", "dim"), soft_wrap=True)
    count = {verdict: sum(one.verdict is verdict for one in found.findings) for verdict in Verdict}
    words = [f"{number} {verdict}" for verdict, number in count.items() if number]
    console.print(f"\n{', '.join(words)}", markup=False)
