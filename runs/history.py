"""A run's whole history, for `status`, `report` and `dashboard`: the journal, and what the trainer told.

Nothing here asks a machine or a cloud: `runs.status.look` and `up` keep the copies current that this reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.cost import RunCost, cost_of_run
from runs.evictions import Eviction, evictions_of
from runs.facts import Collected, Decided, Estimate, Rented, Trained
from runs.journal.attempts import Attempt, AttemptLog
from runs.training_log import METRICS_FILE, Training, TrainingReader

if TYPE_CHECKING:
    from pathlib import Path

    from runs.run import Run
    from runs.types import EffectRow, EventRow, RunRow, StageRow


@dataclass(frozen=True, slots=True)
class RunHistory:
    """What is known of a run on this computer.

    Attributes:
        row: The run.
        stages: Its stages so far, in order.
        trainings: What the trainer told: one, or one for each stage of `train`; none before it was heard.
        attempts: Every try to rent a machine.
        effects: Every cloud resource and the times of its life.
        events: What the journal noted.
        evictions: Each time that the cloud took the machine away.
        cost: What it has cost so far.
        estimate: What the plan said, or None.
        decided: What was chosen for it, or None.
        rented: Where the machine is or was, or None.
        trained: How the training ended, or None.
        collected: Where the model is at home, or None.
    """

    row: RunRow
    stages: tuple[StageRow, ...]
    trainings: tuple[Training, ...]
    attempts: tuple[Attempt, ...]
    effects: tuple[EffectRow, ...]
    events: tuple[EventRow, ...]
    evictions: tuple[Eviction, ...]
    cost: RunCost
    estimate: Estimate | None
    decided: Decided | None
    rented: Rented | None
    trained: Trained | None
    collected: Collected | None

    @property
    def training(self) -> Training | None:
        """The newest training, or None."""
        return self.trainings[-1] if self.trainings else None


def metrics_file(run: Run) -> Path:
    """The copy of the run's `metrics.jsonl` on this computer; it may not be there yet."""
    return run.folder / METRICS_FILE


def read_history(run: Run, reader: TrainingReader | None = None) -> RunHistory:
    """Read everything that this computer knows of a run.

    Args:
        run: The run.
        reader: Where an earlier call left off reading the metrics, for whoever looks again and again; None reads all.
    """
    journal, run_id = run.journal, run.run_id
    return RunHistory(
        row=run.row,
        stages=tuple(journal.stages(run_id)),
        trainings=(reader or TrainingReader(metrics_file(run))).read(),
        attempts=tuple(AttemptLog(journal, run_id).all()),
        effects=tuple(journal.effects(run_id)),
        events=tuple(journal.events(run_id)),
        evictions=evictions_of(journal, run_id),
        cost=cost_of_run(journal, run_id),
        estimate=journal.get(run_id, Estimate),
        decided=journal.get(run_id, Decided),
        rented=journal.get(run_id, Rented),
        trained=journal.get(run_id, Trained),
        collected=journal.get(run_id, Collected),
    )
