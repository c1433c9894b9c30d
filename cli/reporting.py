"""How a run tells what it does: a calm tree that redraws itself on a terminal, plain lines everywhere else."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.words import duration, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType
    from rich.live import Live
    from rich.table import Table

    from runs.types import StageName


@contextmanager
def reporter(console: Console) -> Iterator[TreeReporter | PlainReporter]:
    """The reporter that suits `console`, for as long as the block lasts."""
    if not console.is_terminal or console.is_dumb_terminal:
        yield PlainReporter(console)
        return
    from rich.live import Live

    tree = TreeReporter(console)
    with Live(tree, console=console, refresh_per_second=5) as tree.live:
        yield tree


@dataclass(slots=True)
class _Line:
    """What the screen knows of one stage."""

    title: str
    started_at: float
    state: str = "running"
    text: str = ""
    seconds: float = 0.0
    progress: tuple[float, float, str] | None = None


_MARKS = {"running": "[cyan]●[/]", "done": "[green]✓[/]", "failed": "[red]✗[/]"}


class TreeReporter:
    """Stages as a tree: one line each, with elapsed time and what is being waited for."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.live: Live | None = None
        self._lines: dict[StageName, _Line] = {}
        self._lock = threading.Lock()

    def __rich__(self) -> RenderableType:
        from rich.table import Table

        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, min_width=9, style="bold")
        table.add_column(ratio=1)  # the only one that may shrink: its text is cut, not wrapped
        table.add_column(no_wrap=True, justify="right", style="dim")
        with self._lock:
            for stage, line in self._lines.items():
                self._add(table, stage, line)
        return table

    def _add(self, table: Table, stage: StageName, line: _Line) -> None:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        seconds = line.seconds if line.state != "running" else time.monotonic() - line.started_at
        style = {"running": "", "done": "dim", "failed": "red"}[line.state]
        text: RenderableType = Text(line.text or line.title, style=style, overflow="ellipsis", no_wrap=True)
        if line.state == "running" and line.progress is not None:
            done, total, unit = line.progress
            row = Table.grid(padding=(0, 1))
            row.add_column(no_wrap=True)
            row.add_column(no_wrap=True)
            row.add_column()
            row.add_row(
                ProgressBar(total=total, completed=done, width=20),
                Text(amount(done, total, unit)),
                Text(line.text, style="dim", no_wrap=True, overflow="ellipsis"),
            )
            text = row
        table.add_row(_MARKS[line.state], stage.value, text, duration(seconds))

    def started(self, stage: StageName, title: str) -> None:
        """Open the stage's line."""
        with self._lock:
            self._lines[stage] = _Line(title, time.monotonic())

    def waiting(self, stage: StageName, what: str) -> None:
        """Show what it waits for."""
        with self._lock:
            self._lines[stage].text = what

    def progress(self, stage: StageName, done: float, total: float, unit: str) -> None:
        """Move its bar."""
        with self._lock:
            self._lines[stage].progress = (done, total, unit)

    def done(self, stage: StageName, summary: str, *, seconds: float) -> None:
        """Close the line with its result."""
        self._end(stage, "done", summary, seconds)

    def failed(self, stage: StageName, fact: str, *, seconds: float) -> None:
        """Close the line with what went wrong."""
        self._end(stage, "failed", fact, seconds)

    def note(self, text: str) -> None:
        """Print a note above the tree."""
        from rich.text import Text

        self._console.print(Text.assemble(("note: ", "yellow"), text))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the screen alone for as long as the block lasts."""
        if self.live is not None:
            self.live.stop()
        try:
            yield
        finally:
            if self.live is not None:
                self.live.start()

    def _end(self, stage: StageName, state: str, text: str, seconds: float) -> None:
        with self._lock:
            line = self._lines[stage]
            line.state, line.text, line.seconds = state, text, seconds


# In a pipe nothing is overwritten: what a stage waits for is said at most this often, its progress by tenths.
_QUIET_SECONDS = 5.0
_LONGEST_SILENCE_SECONDS = 30.0


class PlainReporter:
    """One line per event, for pipes and logs; progress at most every tenth of the way or every 30 seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[StageName, str] = {}
        self._said: dict[StageName, tuple[float, float]] = {}
        self._spoke_at: dict[StageName, float] = {}
        self._lock = threading.Lock()

    def started(self, stage: StageName, title: str) -> None:
        """Say that it begins."""
        self._say(stage, title)

    def waiting(self, stage: StageName, what: str) -> None:
        """Say what it waits for, once."""
        with self._lock:
            known = self._last.get(stage) == what
            self._last[stage] = what
            # While numbers run, they are the news; their detail would only repeat with every step.
            recent = time.monotonic() - self._spoke_at.get(stage, -_QUIET_SECONDS) < _QUIET_SECONDS
            if known or not what or stage in self._said or recent:
                return
            self._spoke_at[stage] = time.monotonic()
        self._say(stage, what)

    def progress(self, stage: StageName, done: float, total: float, unit: str) -> None:
        """Say how far it is, now and then."""
        share, now = (done / total if total else 1.0), time.monotonic()
        with self._lock:
            last_share, last_at = self._said.get(stage, (-1.0, 0.0))
            quiet = _QUIET_SECONDS if unit == "bytes" and share < 1 else 0.0
            due = share - last_share >= 0.1 and now - last_at >= quiet
            if share == last_share or not (due or now - last_at >= _LONGEST_SILENCE_SECONDS):
                return
            self._said[stage] = (share, now)
            detail = self._last.get(stage, "")
        self._say(stage, f"{amount(done, total, unit)}  {detail}".rstrip())

    def done(self, stage: StageName, summary: str, *, seconds: float) -> None:
        """Say how it ended."""
        self._say(stage, f"done in {duration(seconds)}: {summary}")

    def failed(self, stage: StageName, fact: str, *, seconds: float) -> None:
        """Say how it ended."""
        self._say(stage, f"failed after {duration(seconds)}: {fact}")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is redrawn here."""
        yield

    def note(self, text: str) -> None:
        """Say it."""
        self._console.print(f"note: {text}", markup=False)

    def _say(self, stage: StageName, text: str) -> None:
        self._console.print(f"{time.strftime('%H:%M:%S')} {stage.value:<9} {text}", markup=False)


def amount(done: float, total: float, unit: str) -> str:
    """`12/36 steps`, `1.2 MB of 4.2 MB`."""
    if unit == "bytes":
        return f"{size(done)} of {size(total)}"
    return f"{done:.0f}/{total:.0f} {unit}"
