"""The stages of a run as a tree with their times: what is done, what runs, what is to come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.bars import bar
from cli.words import duration
from runs.job import launch_words
from runs.types import RunState, StageName, StageState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table
    from rich.text import Text

    from runs.status import RunStatus
    from runs.types import StageRow

_MARKS = {StageState.RUNNING: ("●", "cyan"), StageState.DONE: ("✓", "green"), StageState.FAILED: ("✗", "red")}
_TO_COME = ("○", "bright_black")
# What the agent's steps do; with the stage's name after a dash where there are several.
_STEP_WORDS = {"train": "steps", "verify": "load the model back", "keep": "keep the model"}
# Once a run is only torn down, nothing before that is to come.
_ORDER = (
    StageName.PROVISION,
    StageName.BOOTSTRAP,
    StageName.SYNC,
    StageName.TRAIN,
    StageName.COLLECT,
    StageName.TEARDOWN,
)


def stage_tree(seen: RunStatus, *, width: int, now: float) -> Table:
    """A line for each stage; training has one for each of its own parts below it."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1))
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column()  # the only one that may shrink: its text is cut, but for what went wrong
    for stage in seen.stages:
        mark, style = _MARKS[stage.state]
        what = Text(stage.summary, no_wrap=True, overflow="ellipsis")
        if stage.stage is StageName.TRAIN and stage.state is StageState.RUNNING:
            what = _progress(seen, bar_width=max(8, min(24, width - 66)))
        elif stage.state is StageState.FAILED:
            what = Text(stage.summary, "red", overflow="fold")
        table.add_row(" ", Text(mark, style), stage.stage.value, Text(_seconds(stage, now), "dim"), what)
        if stage.stage is StageName.TRAIN:
            for part in _parts(seen):
                table.add_row(" ", "", *part)
    for name in _to_come(seen):
        table.add_row(" ", Text(*_TO_COME), Text(name.value, "dim"), "", "")
    return table


def _to_come(seen: RunStatus) -> list[StageName]:
    """What follows the furthest stage that has begun."""
    if seen.row.state is RunState.ENDED:
        return []
    furthest = max((_ORDER.index(stage.stage) for stage in seen.stages if stage.stage in _ORDER), default=-1)
    following = _ORDER[furthest + 1 :]
    return [name for name in following if name is StageName.TEARDOWN or not seen.leaving]


def _seconds(stage: StageRow, now: float) -> str:
    return duration(max(0.0, (stage.ended_at or now) - stage.started_at))


def _progress(seen: RunStatus, *, bar_width: int) -> Text:
    from rich.text import Text

    progress = seen.agent.progress if seen.agent else None
    if progress is None:
        return Text("the trainer has not begun", "dim")
    if progress.step is None or not progress.total_steps:
        return Text(progress.phase or "")
    share = progress.step / progress.total_steps
    words = Text.assemble(bar(share, width=bar_width), f" {share:4.0%}")
    if progress.phase and progress.phase != "training":
        words.append(f"  {progress.phase.replace('_', ' ')}")
    return words


def _parts(seen: RunStatus) -> Iterator[tuple[Text, Text, Text]]:
    """What training is made of, where that is more than one thing: its stages, launches, and the check after it."""
    from rich.text import Text

    agent = seen.agent
    if agent is None:
        return
    for finished in agent.finished_steps:
        again = f"{finished.attempts} attempts" if finished.attempts > 1 else ""
        name = Text.assemble(("✓ ", "green"), _step_words(finished.name))
        yield name, Text(duration(finished.seconds), "dim"), Text(again, "dim")
    if agent.step is not None:
        again = f"attempt {agent.step.attempt}" if agent.step.attempt > 1 else ""
        lasts = "" if agent.step.started_at is None else duration(max(0.0, agent.now - agent.step.started_at))
        name = Text.assemble(("● ", "cyan"), _step_words(agent.step.name))
        yield name, Text(lasts, "dim"), Text(again, "yellow")


def _step_words(name: str) -> str:
    kind, _, of = name.partition("-")
    if not of or of.isdigit():
        return launch_words(name) or _STEP_WORDS.get(kind, name)
    return f"{of}: {_STEP_WORDS[kind]}" if kind in _STEP_WORDS else name
