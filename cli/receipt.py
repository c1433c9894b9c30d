"""The receipt on the screen: what was deleted, and when the cloud confirmed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.console import talk
from cli.words import time_of_day

if TYPE_CHECKING:
    from runs.receipt import Receipt


def print_receipt(receipt: Receipt) -> None:
    """Print it to stderr; `llamalift down --json` has it as data."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = talk()
    console.print(f"\nreceipt {receipt.run_id}", markup=False)
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, min_width=max((len(line.kind) for line in receipt.resources), default=0))
    table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True, min_width=len("gone, 404 at 00:00:00"))
    for line in receipt.resources:
        gone = line.confirmed_gone_at
        when = Text(f"gone, 404 at {time_of_day(gone)}", "green") if gone else Text("not confirmed", "red")
        table.add_row(line.kind, line.name, when)
    console.print(Padding(table, (0, 0, 0, 2)), soft_wrap=False)
    left = sum(line.confirmed_gone_at is None for line in receipt.resources)
    console.print(f"  {'nothing is left' if not left else f'{left} not confirmed'}; {receipt.cost_words}", markup=False)
