"""`llamalift plan`: what a run will take; nothing is created."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.plan.plan import Plan, SavePlan


def plan(
    run_file: Annotated[Path, typer.Argument(help="The run file.")] = Path("run.yaml"),
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a run file and say what the run will take, cost and stop at. Creates nothing."""
    import json

    from runs.plan import make_plan
    from runs.spec.load import load_run_file

    made = make_plan(load_run_file(run_file))
    if as_json:
        typer.echo(json.dumps(made.to_json()))
    else:
        _print(made, run_file)


def _print(made: Plan, run_file: Path) -> None:
    from rich.table import Table
    from rich.text import Text

    from cli.console import data, talk

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for label, words in _lines(made):
        table.add_row(f"  {label}", Text(words))
    data().print(Text(_heading(made), style="bold"))
    data().print(table)
    for note in made.notes:
        talk().print(Text.assemble(("note:", "yellow"), f" {note}"))
    talk().print(Text.assemble(("next:", "bold cyan"), f" llamalift up {run_file}"))


def _heading(made: Plan) -> str:
    return f"{made.name}   {made.size.words}   {made.size.name}   {_terms(made)}, {made.cloud} {made.regions[0]}"


def _terms(made: Plan) -> str:
    return "spot" if made.spot else "on demand"


def _lines(made: Plan) -> Iterator[tuple[str, str]]:
    """Yield one line per thing: its name, and the figure with its reason."""
    yield "creates", f"resource group {made.resource_group} with everything in it"
    yield (
        "model",
        f"{_count(made.model.parameters)} parameters ({made.model.basis}), ZeRO-{made.zero_stage}, {made.precision}",
    )
    yield "data", _data(made)
    yield "disk", _disk(made)
    if made.memory is not None:
        yield "memory", f"{made.memory.taken_bytes / 1e9:.0f} of {made.memory.gpu_gb} GB on each GPU  {made.memory.fit}"
    if made.saves:
        yield "saves", _saves(made.saves)
    yield "time", _time(made)
    yield "cost", _cost(made)
    yield "limits", _limits(made)


def _count(number: int) -> str:
    return f"{number / 1e9:.2f} billion" if number >= 1e9 else f"{number / 1e6:.2f} million"


def _data(made: Plan) -> str:
    step = f"{made.rows_per_step} rows a step on {made.processes} process{'es' if made.processes > 1 else ''}"
    if made.data is None or made.steps is None:
        return f"rows unknown before it is on the machine; {step}"
    return f"{made.data.rows:,} rows ({made.data.basis}); {made.steps:,} steps; {step}"


def _disk(made: Plan) -> str:
    from cli.words import duration, size

    need = made.need
    parts = [
        f"{size(need.checkpoint)} a checkpoint x {need.checkpoints}",
        f"{size(need.weights)} weights",
        f"{size(need.final)} final model",
        f"{size(need.data)} data",
        f"{size(need.environment)} environment",
        f"{size(need.headroom)} free",
    ]
    save = duration(need.checkpoint / (made.disk.mb_per_second * 1e6))
    chosen = " ".join(part for part in (f"{made.disk.gib:,} GiB", made.disk.disk_type, made.disk.tier) if part)
    return f"{' + '.join(parts)} = {size(need.total)} -> {chosen} ({made.disk.mb_per_second} MB/s: a save takes {save})"


def _saves(saves: SavePlan) -> str:
    from cli.words import duration

    steps = saves.steps
    shown = [*steps[:4], "...", *steps[-3:]] if len(steps) > 8 else steps
    risk = duration(saves.at_risk_seconds)
    at = ", ".join(map(str, shown))
    return f"after steps {at}; at most {risk} at risk; {saves.share:.1%} of the time"


def _time(made: Plan) -> str:
    from cli.words import duration

    if made.time is None:
        return "unknown before the data is on the machine"
    one_step = made.time.step_seconds
    return f"about {duration(made.time.total_seconds)} (rough: {one_step:.1f} s a step, every row as long as it may be)"


def _cost(made: Plan) -> str:
    from cli.words import dollars

    cost = made.cost
    parts = f"machine {dollars(cost.machine_per_hour)} + disk {dollars(cost.disk_per_hour)} + address, an hour"
    total = f"{dollars(cost.total)} = " if cost.total is not None else ""
    return f"{total}{dollars(cost.per_hour)} an hour: {parts}"


def _limits(made: Plan) -> str:
    from cli.words import dollars

    limits = made.limits
    return (
        f"{limits.hours:g} h ({limits.hours_basis}), {dollars(limits.dollars)} ({limits.dollars_basis}), "
        f"idle {limits.idle_minutes} m, lost client {limits.lost_client_hours:g} h, "
        f"workspace kept {limits.discard_after_days:g} days"
    )
