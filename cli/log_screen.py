"""A log as it comes: whole lines, and on a terminal that follows it the bar or line that goes on."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import typer

from remote.errors import UnreachableError
from remote.text import LogLines, printable
from runs.logs import read_log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.log_filter import LogFilter
    from runs.run import Run

_CLEAR_LINE = "\r\x1b[K"


def print_log(run: Run, wanted: LogFilter, *, follow: bool, machine: int) -> None:
    """Print the lines that are wanted.

    Raises:
        UnreachableError: The machine does not answer, and there is nothing on this computer, or it was to be followed.
    """
    is_terminal = sys.stdout.isatty()
    lines = LogLines(colours=is_terminal and not os.environ.get("NO_COLOR"))
    page = _Page(is_live=is_terminal and follow and wanted.is_open)
    is_empty = True
    for piece in _pieces(run, follow=follow, machine=machine):
        is_empty = is_empty and not piece
        page.show([line for line in lines.feed(piece) if wanted.wants(line)], lines.unfinished)
    page.show([line for line in lines.end() if wanted.wants(line)], "")
    if is_empty:
        _say_empty(run)
    elif wanted.stage and wanted.stage not in wanted.found:
        typer.echo(f"no such part in the log: {wanted.stage}; it has {', '.join(wanted.found) or 'none yet'}", err=True)


def print_raw(run: Run, *, follow: bool, machine: int) -> None:
    """Write every byte.

    Raises:
        UnreachableError: As for `print_log`.
    """
    is_empty = True
    for piece in _pieces(run, follow=follow, machine=machine):
        is_empty = is_empty and not piece
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    if is_empty:
        _say_empty(run)


def _pieces(run: Run, *, follow: bool, machine: int) -> Iterator[bytes]:
    """The log; a silent machine ends it where what came home before was given, and nothing was to be followed."""
    is_empty = True
    try:
        for piece in read_log(run, follow=follow, machine=machine):
            is_empty = is_empty and not piece
            yield piece
    except UnreachableError as error:
        if follow or is_empty:
            raise
        typer.echo(f"note: this is what came home; the machine does not answer: {error.fact}", err=True)


def _say_empty(run: Run) -> None:
    typer.echo(f"no log: training has not begun; see `llamalift status {run.run_id}`", err=True)


class _Page:
    """Where lines go; below them, where it is live, one that is drawn again and again."""

    def __init__(self, *, is_live: bool) -> None:
        self._is_live = is_live
        self._drawn = ""

    def show(self, lines: list[str], unfinished: str) -> None:
        """Print lines, then what goes on."""
        text = "".join(f"{line}\n" for line in lines)
        if self._is_live:
            columns = os.get_terminal_size().columns
            # One row, whatever is in it: a row that wraps could not be drawn over.
            going_on = printable(unfinished)[: columns - 1]
            if not lines and going_on == self._drawn:
                return
            text = (_CLEAR_LINE if self._drawn else "") + text + going_on
            self._drawn = going_on
        sys.stdout.write(text)
        sys.stdout.flush()
