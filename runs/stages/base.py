"""What a stage is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from runs.context import RunContext
    from runs.types import StageName


class Stage(Protocol):
    """One step in the life of a run."""

    @property
    def name(self) -> StageName:
        """Its name in the journal and on the screen."""
        ...

    @property
    def title(self) -> str:
        """What it does, in a few words."""
        ...

    def is_done(self, context: RunContext) -> bool:
        """Whether nothing is left to do, as far as can be told cheaply."""
        ...

    def act(self, context: RunContext) -> str:
        """Do what is missing and record it; returns the one-line result. Safe to repeat after a kill at any line."""
        ...
