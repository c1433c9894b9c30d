"""Two consoles: stdout is data, stderr is talk. Rich honours NO_COLOR, TERM and the width of the terminal."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@cache
def talk() -> Console:
    """Where llamalift talks: progress, notes, errors."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


@cache
def data() -> Console:
    """Where the answer goes that a script may read."""
    from rich.console import Console

    return Console(highlight=False)
