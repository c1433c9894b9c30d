"""Two consoles: stdout is data, stderr is talk. Rich honours NO_COLOR, TERM and the width of the terminal."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@cache
def talk() -> Console:
    """Where llamalift talks: progress, notes, errors."""
    import os

    from rich.console import Console

    class Talk(Console):
        """Whoever listened may leave (`2>&1 | head`): what is under way goes on, and says no more."""

        def on_broken_pipe(self) -> None:
            self.quiet = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())

    return Talk(stderr=True, highlight=False, soft_wrap=True)


@cache
def data() -> Console:
    """Where the answer goes that a script may read."""
    from rich.console import Console

    return Console(highlight=False)
