"""A curation on the screen: how far it is, and what became of the rows."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.curation.curating import Curated, CurationProgress


@contextmanager
def watched() -> Iterator[CurationProgress]:
    """Give a progress that draws itself on a terminal until the block ends; nothing where nobody watches."""
    from cli.waiting import said
    from cli.words import size

    with said() as say:
        began = time.monotonic()

        def progress(what: str, done: int, total: int) -> None:
            seconds = max(time.monotonic() - began, 1e-3)
            say(f"{what} {size(done)} of {size(total)}, {size(done / seconds)}/s")

        yield progress


def print_report(curated: Curated) -> None:
    """Print what became of the rows: figures to stdout, where things are to stderr."""
    from rich.table import Table
    from rich.text import Text

    from cli.console import data, talk

    report = curated.report
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(justify="right")
    for name, count in (
        ("rows", report.rows),
        *((f"  {rule.name}", -rule.dropped) for rule in report.rules if rule.dropped),
        ("kept", report.kept),
    ):
        style = "bold" if name in {"rows", "kept"} else ""
        table.add_row(Text(name, style), Text(f"{count:,}", style), Text(f"{abs(count) / report.rows:.1%}", style))
    data().print(table)
    data().print(f"fingerprint {report.fingerprint}", soft_wrap=True)
    rate = report.rows / max(curated.seconds, 1e-3)
    talk().print(Text(f"{curated.output}: {curated.seconds:.1f} s, {rate:,.0f} rows a second"))
    talk().print(Text.assemble(("report:", "bold cyan"), f" {curated.page}"))
