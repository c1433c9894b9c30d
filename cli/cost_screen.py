"""Costs on the screen: one run component by component, or all runs in a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.console import data, talk
from cli.words import cents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from runs.cost import RunCost

_REHEARSAL = "rehearsal: nothing is paid; the dollars are what Azure would have taken"


def print_costs(costs: Sequence[RunCost], *, by_component: bool) -> None:
    """Print them to stdout, what is to be known about them to stderr.

    Args:
        costs: One run, or all.
        by_component: Show the one run's components.
    """
    data().print(_components(costs[0]) if by_component else _overview(costs))
    if any(cost.cloud == "rehearsal" for cost in costs):
        talk().print(f"note: {_REHEARSAL}", markup=False)
    if any(not cost.is_confirmed for cost in costs):
        talk().print("note: the cloud was not asked what still runs: counted as running until now", markup=False)
    talk().print("note: journal times x prices; the cloud's own bill is what counts", markup=False)


def _components(cost: RunCost) -> Table:
    table = _grid()
    for line in cost.lines:
        how_long = f"{line.hours:.2f} h x {cents(line.dollars_per_hour)}" if line.dollars_per_hour else ""
        table.add_row(
            str(line.component), line.detail, how_long, cents(line.dollars), "goes on" if line.goes_on else ""
        )
    table.add_row("total", cost.run_id, _against(cost), cents(cost.dollars), _per_hour(cost.dollars_per_hour))
    return table


def _overview(costs: Sequence[RunCost]) -> Table:
    table = _grid()
    for cost in costs:
        table.add_row(cost.run_id, cost.cloud, _against(cost), cents(cost.dollars), _per_hour(cost.dollars_per_hour))
    real = [cost for cost in costs if cost.cloud != "rehearsal"]
    hourly = sum(cost.dollars_per_hour for cost in real)
    table.add_row("total", "without rehearsals", "", cents(sum(cost.dollars for cost in real)), _per_hour(hourly))
    return table


def _grid() -> Table:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for justify in ("left", "left", "right", "right", "left"):
        table.add_column(justify=justify)
    return table


def _against(cost: RunCost) -> str:
    return "" if cost.estimate_dollars is None else f"estimate {cents(cost.estimate_dollars)}"


def _per_hour(dollars: float) -> str:
    return f"{cents(dollars)} an hour goes on" if dollars else "nothing goes on"
