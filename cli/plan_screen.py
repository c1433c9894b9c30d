"""A plan on the screen: one line per thing with its reason, the places side by side, notes, the next command."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from cli.plan_packing import packing_words
from cli.plan_saves import save_lines
from cli.plan_stages import stage_lines
from cli.plan_terms import account_words, assumption_words, cost_words, limit_words, switch_words
from runs.plan.memory_fit import Fit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.text import Text

    from runs.plan.disk_options import DiskOption
    from runs.plan.plan import Plan
    from runs.plan.source_checks import SourceAnswer

_LABEL_WIDTH, _LEAST_ROOM = 14, 40
# A save that takes no longer is no reason for another disk.
_WORTH_ANOTHER_DISK_SECONDS, _MOST_DISK_OPTIONS = 10.0, 3


def print_plan(plan: Plan, run_file: Path, *, now: float, works: bool) -> None:
    """Print it: figures to stdout, talk to stderr.

    Args:
        plan: The plan.
        run_file: Where the run file is, as the user named it.
        now: The time, in seconds since the epoch.
        works: Whether the run can be launched; the next command is for those that can.
    """
    from rich.text import Text

    from cli.console import data, talk

    data().print(Text("\n").join(plan_lines(plan, data().width, now)), soft_wrap=True)
    for note in plan.notes:
        talk().print(Text.assemble(("note:", "yellow"), f" {note}"))
    if works:
        talk().print(Text.assemble(("next:", "bold cyan"), f" llamalift up {run_file}"))


def plan_lines(plan: Plan, width: int, now: float) -> Sequence[Text]:
    """Give the lines of a plan for a screen of `width` columns."""
    from rich.text import Text

    from cli.plan_places import places_table, reasons

    room = max(_LEAST_ROOM, width - _LABEL_WIDTH)
    return [
        Text(_heading(plan), style="bold"),
        *(line for label, words in _lines(plan, now, room) for line in _block(label, words, room)),
        Text(),
        *(Text("  ") + line for line in places_table(plan, width - 2)),
        *(Text(f"    {line}", style="yellow") for line in reasons(plan)),
    ]


def _block(label: str, words: str, room: int) -> Iterator[Text]:
    """A label and its words, wrapped beside it."""
    from rich.text import Text

    for number, line in enumerate(textwrap.wrap(words, room, break_long_words=False, break_on_hyphens=False)):
        yield Text.assemble((f"  {label if number == 0 else '':{_LABEL_WIDTH - 2}}", "dim"), line)


def _heading(plan: Plan) -> str:
    terms = "spot" if plan.spot else "on demand"
    tried = [one for one in plan.placements if one.obstacle is None] or [plan.chosen]
    regions = dict.fromkeys(one.placement.region for one in tried)
    places = plan.chosen.placement.region if plan.is_wish else " -> ".join(regions)
    count = f"{plan.nodes} machines of " if plan.nodes > 1 else ""
    return f"{plan.name}   {count}{plan.size.words}   {plan.size.name}   {terms}, {plan.cloud} {places}"


def _lines(plan: Plan, now: float, room: int) -> Iterator[tuple[str, str]]:
    """Yield one line per thing: its name, and the figure with its reason."""
    yield "account", account_words(plan, now)
    yield "creates", f"resource group {plan.resource_group} with everything in it{_image(plan)}"
    yield "model", _model(plan)
    if not plan.stages:
        yield "data", _data(plan)
        if plan.packing is not None:
            yield "batches", packing_words(plan.packing, plan.rows_per_step)
    for number, source in enumerate(plan.sources):
        yield ("sources" if number == 0 else ""), _source(source)
    yield "disk", _disk(plan)
    if plan.save_seconds >= _WORTH_ANOTHER_DISK_SECONDS:
        yield "other disks", _disk_options(plan)
    if plan.memory is not None:
        yield "memory", _memory(plan)
        yield "stages", _stages(plan)
    if plan.stages:
        yield from stage_lines(plan, room)
    elif plan.saves:
        yield from save_lines(plan, plan.saves, room)
    if plan.asked:
        yield "after", _after(plan)
    yield "time", _time(plan)
    yield "cost", cost_words(plan)
    yield "", assumption_words(plan)
    yield "limits", limit_words(plan)
    yield "switches", switch_words(plan, now)


def _image(plan: Plan) -> str:
    found = () if plan.survey is None else plan.survey.regions
    image = next((one.image for one in found if one.region == plan.chosen.placement.region), None)
    return f"; image {image}" if image else ""


def _model(plan: Plan) -> str:
    adapters = f", {_count(plan.trained)} of adapters trained" if plan.trained < plan.model.parameters else ""
    size = f"{_count(plan.model.parameters)} parameters ({plan.model.basis}){adapters}"
    return f"{size}, ZeRO-{plan.zero_stage}, {plan.precision}"


def _count(number: int) -> str:
    return f"{number / 1e9:.2f} billion" if number >= 1e9 else f"{number / 1e6:.2f} million"


def _data(plan: Plan) -> str:
    step = f"{plan.rows_per_step} rows a step on {plan.processes} process{'es' if plan.processes > 1 else ''}"
    if plan.data is None or plan.steps is None:
        return f"rows unknown before it is on the machine; {step}"
    about = "" if plan.packing is None or plan.packing.is_exact else "about "
    return f"{plan.data.rows:,} rows ({plan.data.basis}); {about}{plan.steps:,} steps; {step}"


def _source(source: SourceAnswer) -> str:
    from cli.words import size

    if source.verdict != "there":
        return f"{source.source}: {source.verdict}, {source.words}"
    files = "" if source.files is None else f", {source.files} file{'' if source.files == 1 else 's'}"
    return f"{source.source}: there{files}{'' if source.size_bytes is None else f', {size(source.size_bytes)}'}"


def _disk(plan: Plan) -> str:
    from cli.words import duration, size

    need = plan.need
    parts = [
        f"{size(need.checkpoint)} a checkpoint x {need.checkpoints}",
        f"{size(need.weights)} weights",
        f"{size(need.final)} final model{f's of {len(plan.stages)} stages' if plan.stages else ''}",
        f"{size(need.data)} data",
        f"{size(need.environment)} environment",
        f"{size(need.headroom)} free",
    ]
    save = duration(plan.save_seconds)
    each = " on each machine" if plan.nodes > 1 else ""
    chosen = " ".join(part for part in (f"{plan.disk.gib:,} GiB", plan.disk.disk_type, plan.disk.tier) if part)
    speed = f"({plan.disk.mb_per_second} MB/s: a save takes {save})"
    return f"{' + '.join(parts)} = {size(need.total)} -> {chosen}{each} {speed}"


def _disk_options(plan: Plan) -> str:
    options = plan.disk_options[:_MOST_DISK_OPTIONS]
    return "; ".join(_disk_option(option) for option in options) or "none is faster on this machine"


def _disk_option(option: DiskOption) -> str:
    from cli.words import duration

    extra = "" if option.extra_dollars is None else f" ({_signed(option.extra_dollars)})"
    name = option.disk.tier or option.disk.disk_type
    return f"{name} of {option.disk.gib:,} GiB: a save takes {duration(option.save_seconds)}{extra}"


def _signed(dollars: float) -> str:
    return f"{'+' if dollars >= 0 else '-'}${abs(dollars):.2f}"


def _memory(plan: Plan) -> str:
    memory = plan.memory
    assert memory is not None  # noqa: S101 - the caller has looked
    activations = "activations unknown"
    if memory.activations_bytes is not None:
        activations = f"{memory.activations_bytes / 1e9:.0f} activations"
    parts = f"{memory.states_bytes / 1e9:.0f} states + {activations} + {memory.runtime_bytes / 1e9:.0f} libraries"
    return f"{memory.taken_bytes / 1e9:.0f} of {memory.gpu_gb} GB per GPU  {memory.fit}   ({parts})"


def _stages(plan: Plan) -> str:
    """Every way of sharding with what it takes, and the longest rows that it leaves room for."""
    memory = plan.memory
    assert memory is not None  # noqa: S101 - the caller has looked
    words = []
    for stage in memory.stages:
        longest = "" if stage.longest_tokens is None else f" ({stage.longest_tokens:,})"
        too_large = " too large" if stage.fit is Fit.TOO_LARGE else longest
        words.append(f"{stage.words} {stage.taken_bytes / 1e9:.0f}{too_large}")
    known = " (longest rows in tokens)" if memory.activations_bytes is not None else ""
    return f"GB{known}: {', '.join(words)}"


def _after(plan: Plan) -> str:
    from cli.words import duration

    return plan.asked if plan.time is None else f"{plan.asked}: about {duration(plan.time.after_seconds)} (rough)"


def _time(plan: Plan) -> str:
    from cli.words import duration

    if plan.time is None:
        return "unknown before the data is on the machine"
    one_step = plan.time.step_seconds
    return f"about {duration(plan.time.total_seconds)} (rough: {one_step:.1f} s a step, every row as long as it may be)"
