"""What a run was, for somebody who was not there: everything that a report shows, gathered once.

Reads the journal and what came home; asks neither machine nor cloud.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runs.faults import Fault, faults_of
from runs.history import RunHistory, read_history
from runs.receipt import Receipt, make_receipt
from runs.secrets import masker_for
from runs.types import RunState
from templates.agent.manifest import NAME as MANIFEST_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runs.run import Run


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was made sure of: `name` in a few words, `words` with its numbers."""

    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Report:
    """A run as a whole.

    Attributes:
        history: What is known of it.
        receipt: What it owned and cost.
        faults: What went wrong and was survived, or ended it, oldest first.
        checks: What was made sure of.
        versions: What ran, by name; empty while no model is at home.
        model: What the model's manifest says of it.
        run_file: The run file, as it was read when the run began.
        size: The machine's size; empty before it was decided.
    """

    history: RunHistory
    receipt: Receipt
    faults: tuple[Fault, ...]
    checks: tuple[Check, ...]
    versions: Mapping[str, str]
    model: Mapping[str, Any]
    run_file: str
    size: str

    @property
    def train_seconds(self) -> float | None:
        """From the first start of the trainer to its last logged step; None before there is one."""
        starts = [start.at for training in self.history.trainings for start in training.starts]
        ends = [training.columns["at"][-1] for training in self.history.trainings if training.points]
        return max(ends) - min(starts) if starts and ends else None

    @property
    def save_seconds(self) -> float:
        """What the trainer spent on saving."""
        return sum(s.seconds for training in self.history.trainings for s in training.saves if s.home == "saved")


def make_report(run: Run) -> Report:
    """Gather it."""
    history = read_history(run)
    receipt = make_receipt(run.journal, run.run_id)
    manifest = _manifest(history)
    with run.context() as context:
        run_file = masker_for(context.spec.secrets).text(run.row.spec_text)
    return Report(
        history=history,
        receipt=receipt,
        faults=faults_of(history),
        checks=tuple(_checks(history, receipt)),
        versions={str(name): str(version) for name, version in (manifest.get("versions") or {}).items()},
        model=manifest.get("model") or {},
        run_file=run_file,
        size=history.decided.size if history.decided else "",
    )


def _manifest(history: RunHistory) -> Mapping[str, Any]:
    """What the model at home says of itself; nothing where it was moved since."""
    if history.collected is None:
        return {}
    try:
        found = json.loads((Path(history.collected.target) / MANIFEST_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _checks(history: RunHistory, receipt: Receipt) -> Iterator[Check]:
    saves = [save for training in history.trainings for save in training.saves if save.home == "saved"]
    if saves:
        yield Check("checkpoints", f"{len(saves)} written whole, each with a SHA-256 of every file")
    if history.trained is not None:
        yield Check("the model on the machine", "loaded back, every tensor finite and in shape, and asked something")
    if (home := history.collected) is not None:
        sha256 = home.manifest_sha256[:12]
        yield Check("the model at home", f"{home.files} files, every byte verified by SHA-256 (manifest {sha256})")
    gone = [line for line in receipt.resources if line.confirmed_gone_at is not None]
    if history.row.state is RunState.ENDED and gone:
        yield Check("the cloud", f"{len(gone)} resources deleted, each confirmed by a 404: nothing is left to pay for")
