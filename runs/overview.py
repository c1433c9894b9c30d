"""All runs at a glance, from the journal alone: no cloud, no machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.journal import Journal
from runs.types import RunState

if TYPE_CHECKING:
    from runs.state_folder import StateFolder


@dataclass(frozen=True, slots=True)
class OverviewLine:
    """One run in one line.

    Attributes:
        run_id: The run.
        cloud: `azure` or `rehearsal`.
        created_at: When it was entered, in seconds since the epoch.
        stage: The stage that it is in or came to last; empty before the first.
        state: `running`, `done` or `failed` for that stage; `ended` when nothing is left in the cloud.
        resources: How many cloud resources may exist: asked for, and not confirmed gone.
    """

    run_id: str
    cloud: str
    created_at: float
    stage: str
    state: str
    resources: int


def overview(state: StateFolder) -> list[OverviewLine]:
    """Every run, newest first. Whoever only looks leaves no file behind."""
    if not state.journal.exists():
        return []
    return [
        OverviewLine(run_id, cloud, created_at, stage, "ended" if whole == RunState.ENDED else stage_state, left)
        for run_id, cloud, created_at, whole, stage, stage_state, left in Journal(state.journal).overview_rows()
    ]
