"""Which lines of a log are wanted."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from remote.text import printable
from runs.errors import SpecError
from runs.log_times import LogClock
from runs.moments import parse_since

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class LogFilter:
    """Goes through a log once, line by line.

    Attributes:
        clock: Knows when lines were written.
        since: The earliest, in seconds since the epoch; None for all.
        grep: What must be in them; None for anything.
        stage: The stage of `train` or the part of the training; empty for all.
        found: Every stage and part that there was.
    """

    clock: LogClock
    since: float | None = None
    grep: re.Pattern[str] | None = None
    stage: str = ""
    found: dict[str, None] = field(default_factory=dict)

    @classmethod
    def of(cls, metrics: Path, *, since: str | None, grep: str | None, stage: str | None) -> Self:
        """Read what the user wants; `metrics` has the times.

        Raises:
            SpecError: A time or an expression cannot be read.
        """
        try:
            pattern = None if grep is None else re.compile(grep)
        except re.error as error:
            raise SpecError(
                f"not a regular expression: {grep} ({error})", hint="escape signs as in `--grep 'a\\.b'`"
            ) from error
        begin = None if since is None else parse_since(since, time.time())
        return cls(LogClock.of(metrics), begin, pattern, stage or "")

    @property
    def is_open(self) -> bool:
        """Everything is wanted."""
        return self.since is None and self.grep is None and not self.stage

    def wants(self, line: str) -> bool:
        """Whether the next line is wanted; it may have colours."""
        text = printable(line)
        where = self.clock.see(text)
        self.found.update(dict.fromkeys(name for name in (where.stage, where.phase) if name))
        if self.stage and self.stage not in {where.stage, where.phase}:
            return False
        # A line whose time is not known yet is older than the first one that has one.
        if self.since is not None and (where.at is None or where.at < self.since):
            return False
        return self.grep is None or self.grep.search(text) is not None
