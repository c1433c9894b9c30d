"""The receipt: what the run owned, when each thing was confirmed gone, and what it cost."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from runs.facts import Decided
from runs.private_files import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from runs.journal import Journal


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One resource: its times are seconds since the epoch."""

    kind: str
    name: str
    resource_id: str
    created_at: float | None
    confirmed_gone_at: float | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a run owned and cost.

    Attributes:
        run_id: The run.
        cloud: `azure` or `rehearsal`.
        resources: Every resource that was ever asked for, in order.
        hours: From the first intent to the last proof.
        dollars: `hours` times the price that the plan used; an estimate until the bill comes, 0 on the rehearsal cloud.
    """

    run_id: str
    cloud: str
    resources: tuple[ReceiptLine, ...]
    hours: float
    dollars: float

    @property
    def cost_words(self) -> str:
        """The cost in a few words."""
        if self.cloud == "rehearsal":
            return "nothing to pay (rehearsal)"
        return f"about ${self.dollars:.2f} for {self.hours:.2f} h"


def make_receipt(journal: Journal, run_id: str) -> Receipt:
    """The receipt as the journal has it now."""
    effects = journal.effects(run_id)
    decided = journal.get(run_id, Decided)
    begun = [effect.create_intended_at for effect in effects if effect.create_intended_at is not None]
    ended = [effect.gone_at for effect in effects if effect.gone_at is not None]
    hours = (max(ended) - min(begun)) / 3600 if begun and ended else 0.0
    return Receipt(
        run_id=run_id,
        cloud=journal.run(run_id).cloud,
        resources=tuple(
            ReceiptLine(e.kind, e.name, e.resource_id, e.created_at or e.create_intended_at, e.gone_at) for e in effects
        ),
        hours=hours,
        dollars=hours * (decided.dollars_per_hour if decided else 0.0),
    )


def write_receipt(receipt: Receipt, file: Path) -> None:
    """Keep it beside the run's log."""
    write_private(file, json.dumps(asdict(receipt), indent=2) + "\n")


def read_receipt(file: Path) -> Receipt | None:
    """The receipt that was kept, or None."""
    if not file.exists():
        return None
    value = json.loads(file.read_text(encoding="utf-8"))
    lines = tuple(ReceiptLine(**line) for line in value.pop("resources"))
    return Receipt(resources=lines, **value)
