"""Writes events as they happen. Whoever reads them may leave: the run goes on all the same."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from cli.boundary import EXIT_INTERRUPTED, exit_code
from cli.events import (
    EndEvent,
    ErrorEvent,
    NoteEvent,
    RunEvent,
    StageDone,
    StageFailed,
    StageProgress,
    StageStarted,
    StageWaiting,
)
from runs.types import RunState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from cli.events import Event
    from runs.receipt import Receipt
    from runs.run import Run
    from runs.types import Reporter, StageName

_PROGRESS_SECONDS = 0.5


class EventStream:
    """A reporter that writes one JSON object a line. Called from any thread."""

    def __init__(self, file: TextIO) -> None:
        self._file: TextIO | None = file
        self._lock = threading.Lock()
        self._waiting: dict[StageName, str] = {}
        self._progress: dict[StageName, tuple[float, float]] = {}
        self.run: Run | None = None

    @property
    def run_id(self) -> str:
        """The run; empty before there is one."""
        return "" if self.run is None else self.run.run_id

    def begins(self, run: Run) -> None:
        """Tell which run is driven."""
        self.run = run
        self._write(RunEvent(time.time(), run.run_id, run.row.cloud, run.row.run_file))

    def started(self, stage: StageName, title: str) -> None:
        """Tell that a stage begins."""
        self._write(StageStarted(time.time(), self.run_id, stage, title))

    def waiting(self, stage: StageName, what: str) -> None:
        """Tell what a stage waits for, when that has changed."""
        if what and self._waiting.get(stage) != what:
            self._waiting[stage] = what
            self._write(StageWaiting(time.time(), self.run_id, stage, what))

    def progress(self, stage: StageName, done: float, total: float, unit: str) -> None:
        """Tell how far a stage is, now and then, and when it has come to its end."""
        told, at = self._progress.get(stage, (-1.0, 0.0))
        now = time.monotonic()
        if done != told and (done >= total or now - at >= _PROGRESS_SECONDS):
            self._progress[stage] = (done, now)
            self._write(StageProgress(time.time(), self.run_id, stage, done, total, unit))

    def done(self, stage: StageName, summary: str, *, seconds: float) -> None:
        """Tell how a stage ended."""
        self._write(StageDone(time.time(), self.run_id, stage, summary, seconds))

    def failed(self, stage: StageName, fact: str, *, seconds: float) -> None:
        """Tell how a stage ended."""
        self._write(StageFailed(time.time(), self.run_id, stage, fact, seconds))

    def note(self, text: str) -> None:
        """Tell it."""
        self._write(NoteEvent(time.time(), self.run_id, text))

    def stopped_by(self, error: Exception) -> None:
        """Tell what stopped the command."""
        from cli.problems import problem_line

        problems = tuple(problem_line(one, getattr(error, "file", "")) for one in getattr(error, "problems", ()))
        hint, code = getattr(error, "hint", ""), getattr(error, "code", "")
        fact = getattr(error, "fact", str(error))
        self._write(ErrorEvent(time.time(), self.run_id, type(error).__name__, fact, hint, code, problems))

    def ends(self, code: int) -> None:
        """Tell the exit code, and where everything is now."""
        model, receipt = (None, None) if self.run is None else _what_is_left(self.run)
        self._write(EndEvent(time.time(), self.run_id, code, model, receipt))

    def _write(self, event: Event) -> None:
        with self._lock:
            if self._file is None:
                return
            try:
                self._file.write(json.dumps(_in_order(asdict(event))) + "\n")
                self._file.flush()
            except BrokenPipeError:
                # Nobody reads any more; what is buffered must not come up again when the program ends.
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._file.fileno())
                self._file = None


class Both:
    """Tells two reporters; the first one draws the screen."""

    def __init__(self, first: Reporter, second: Reporter) -> None:
        self._each = (first, second)

    def started(self, stage: StageName, title: str) -> None:
        """Tell both."""
        for one in self._each:
            one.started(stage, title)

    def waiting(self, stage: StageName, what: str) -> None:
        """Tell both."""
        for one in self._each:
            one.waiting(stage, what)

    def progress(self, stage: StageName, done: float, total: float, unit: str) -> None:
        """Tell both."""
        for one in self._each:
            one.progress(stage, done, total, unit)

    def done(self, stage: StageName, summary: str, *, seconds: float) -> None:
        """Tell both."""
        for one in self._each:
            one.done(stage, summary, seconds=seconds)

    def failed(self, stage: StageName, fact: str, *, seconds: float) -> None:
        """Tell both."""
        for one in self._each:
            one.failed(stage, fact, seconds=seconds)

    def note(self, text: str) -> None:
        """Tell both."""
        for one in self._each:
            one.note(text)


@contextmanager
def events(*, wanted: bool) -> Iterator[EventStream | None]:
    """A stream on standard output for a whole command, error and exit code included; None when it is not wanted."""
    if not wanted:
        yield None
        return
    stream = EventStream(sys.stdout)
    try:
        yield stream
    except SystemExit as leaving:
        stream.ends(leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None))
        raise
    except KeyboardInterrupt:
        stream.ends(EXIT_INTERRUPTED)
        raise
    except typer.Exit as leaving:
        stream.ends(leaving.exit_code)
        raise
    except Exception as error:
        stream.stopped_by(error)
        stream.ends(exit_code(error) or 1)
        raise
    stream.ends(0)


def _in_order(values: dict[str, object]) -> dict[str, object]:
    """What tells lines apart comes first: people read them, too."""
    return {"event": values.pop("event"), **values}


def _what_is_left(run: Run) -> tuple[str | None, Receipt | None]:
    from runs.facts import Collected
    from runs.receipt import make_receipt

    collected = run.journal.get(run.run_id, Collected)
    ended = run.journal.run(run.run_id).state is RunState.ENDED
    return None if collected is None else collected.target, make_receipt(run.journal, run.run_id) if ended else None
