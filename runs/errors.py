"""What can go wrong with a run.

RunError
├── SpecError             the run file (or another input) is wrong; carries every problem at once
├── RunNotFoundError      no such run in the journal
├── RunBusyError          another client drives it right now
├── TrainingFailedError   the job on the machine ended without a good model
├── ProgramFailedError    a program on this computer that asks or scores a model did not end well
├── NotCollectedError     teardown refused: a model or bytes would be lost
├── LeftoversRemainError  something is left in the cloud after teardown
└── JournalError          the journal cannot be read or written

Each carries the exit code of `llamalift` for it (docs/reference/exit-codes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a run file.

    Attributes:
        path: Where, in the file's own words (`machine.size`, `sync[0].from`); empty for the file as a whole.
        message: What is expected and what was found, the value last.
        line: Line, counted from 1; None when the problem has no place in the file.
        column: Column, counted from 1.
        suggestion: The nearest known key or value, or empty.
    """

    path: str
    message: str
    line: int | None = None
    column: int | None = None
    suggestion: str = ""


class RunError(Exception):
    """Base of this layer: a fact with the value last, and the next command."""

    exit_code: ClassVar[int] = 2

    def __init__(self, fact: str, *, hint: str = "") -> None:
        super().__init__(fact)
        self.fact = fact
        self.hint = hint


class SpecError(RunError):
    """A run file that cannot be used as it is.

    Attributes:
        problems: All of them, in the order of the file.
        file: The file's name as the user gave it; empty when the problem is not in a file.
    """

    def __init__(self, fact: str, problems: Sequence[Problem] = (), *, file: str = "", hint: str = "") -> None:
        super().__init__(fact, hint=hint)
        self.problems = tuple(problems)
        self.file = file


class RunNotFoundError(RunError):
    """No such run in the journal."""


class RunBusyError(RunError):
    """Another client drives the run right now."""


class TrainingFailedError(RunError):
    """The job on the machine ended without a good model."""

    exit_code: ClassVar[int] = 5


class ProgramFailedError(RunError):
    """A program on this computer that asks or scores a model did not end well."""

    exit_code: ClassVar[int] = 5


class NotCollectedError(RunError):
    """Teardown would lose a model that was not collected, or bytes that were not synced."""


class LeftoversRemainError(RunError):
    """Something is left in the cloud after teardown, and may still cost money.

    Attributes:
        remaining: What, by the id that the cloud knows.
    """

    exit_code: ClassVar[int] = 6

    def __init__(self, fact: str, remaining: Sequence[str], *, hint: str = "") -> None:
        super().__init__(fact, hint=hint)
        self.remaining = tuple(remaining)


class JournalError(RunError):
    """The journal cannot be read or written."""
