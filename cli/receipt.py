"""The receipt on the screen: what was deleted, and when the cloud confirmed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.console import talk
from cli.words import cents, time_of_day

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
    table.add_column(no_wrap=True)
    table.add_column()  # the only one that may shrink: its text is cut, not wrapped
    table.add_column(no_wrap=True)
    for line in receipt.resources:
        gone = line.confirmed_gone_at
        when = Text(f"gone, 404 at {time_of_day(gone)}", "green") if gone else Text("not confirmed", "red")
        table.add_row(line.kind, Text(line.name, no_wrap=True, overflow="ellipsis"), when)
    console.print(Padding(table, (0, 0, 0, 2)), soft_wrap=False)
    for line in receipt.resources:
        if line.why_left:
            console.print(f"  left: {line.name}: {line.why_left}", markup=False)
    for cost in receipt.components:
        how_long = f", {cost.hours:.2f} h x {cents(cost.dollars_per_hour)}" if cost.dollars_per_hour else ""
        console.print(f"  {cost.component:<14}  {cents(cost.dollars)}  ({cost.detail}{how_long})", markup=False)
    if receipt.evictions:
        console.print(f"  {receipt.evictions} (in the above)", markup=False)
    left = sum(line.confirmed_gone_at is None for line in receipt.resources)
    console.print(f"  {'nothing is left' if not left else f'{left} not confirmed'}; {receipt.cost_words}", markup=False)
