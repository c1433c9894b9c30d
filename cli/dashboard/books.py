"""The runs that are looked at, each with what is kept in memory of it between two looks."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runs.errors import SpecError
from runs.history import RunHistory, metrics_file, read_history
from runs.log_copy import log_of
from runs.run import Run
from runs.secrets import masker_for
from runs.spec.load import load_run_text
from runs.training_log import TrainingReader

if TYPE_CHECKING:
    from runs.state_folder import StateFolder
    from templates.training.masking import Masker

# A run of 200,000 logged steps takes some 50 MB.
_MOST_BOOKS = 8
# Two tabs, and the parts of one page, share a look.
_FRESH_SECONDS = 0.5


@dataclass(slots=True)
class Book:
    """One run: its history, read on from where the last look left off."""

    run: Run
    reader: TrainingReader
    masker: Masker
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _read_at: float = 0.0
    _history: RunHistory | None = None

    @classmethod
    def open(cls, run_id: str, state: StateFolder) -> Book:
        """Open the book of a run by its whole id.

        Raises:
            RunNotFoundError: There is no such run.
        """
        run = Run.open(run_id, state=state)
        return cls(run, TrainingReader(metrics_file(run)), masker_for(_secret_names(run)))

    @property
    def log(self) -> Path:
        """The copy of its log."""
        return log_of(self.run.folder).file

    def history(self) -> RunHistory:
        """What this computer knows of the run, not older than half a second."""
        with self._lock:
            if self._history is None or time.monotonic() - self._read_at >= _FRESH_SECONDS:
                self.run.row = self.run.journal.run(self.run.run_id)
                self._history = read_history(self.run, self.reader)
                self._read_at = time.monotonic()
            return self._history


def _secret_names(run: Run) -> tuple[str, ...]:
    """Those of its run file; none where another version wrote it, whose words this one does not know."""
    try:
        return tuple(load_run_text(run.row.spec_text, Path(run.row.run_file)).spec.secrets)
    except SpecError:
        return ()


class Books:
    """The newest few that were opened; may be used from several threads."""

    def __init__(self, state: StateFolder) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._books: OrderedDict[str, Book] = OrderedDict()

    def book(self, run_id: str) -> Book:
        """The book of a run.

        Raises:
            RunNotFoundError: There is no such run.
        """
        with self._lock:
            if run_id not in self._books:
                opened = Book.open(run_id, self._state)
                self._books[opened.run.run_id] = opened
                run_id = opened.run.run_id
            self._books.move_to_end(run_id)
            while len(self._books) > _MOST_BOOKS:
                self._books.popitem(last=False)
            return self._books[run_id]
