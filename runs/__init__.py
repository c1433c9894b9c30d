"""One run: what it asks for, where it stands, how it goes on. The Python API: `from runs import Run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runs.run import Run

__all__ = ["Run"]


def __getattr__(name: str) -> object:
    """Import the API on first use: `llamalift ls` must not pay for it."""
    if name == "Run":
        from runs.run import Run

        return Run
    raise AttributeError(name)
