"""The receipt: what the run owned, when each thing was confirmed gone, and what it cost."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from runs.cost import CostLine, cost_of_run
from runs.evictions import evictions_of, sum_words
from runs.facts import Decided, Undeleted
from runs.private_files import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runs.journal import Journal
    from runs.types import EffectRow


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One resource: its times are seconds since the epoch; `why_left` is what the cloud said when it did not go."""

    kind: str
    name: str
    resource_id: str
    created_at: float | None
    confirmed_gone_at: float | None
    why_left: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a run owned and cost.

    Attributes:
        run_id: The run.
        cloud: `azure` or `rehearsal`.
        resources: Every resource that was ever asked for, in order.
        hours: From the first intent to the last proof.
        dollars: What is to be paid, journal times x prices; an estimate until the bill comes, 0 on the rehearsal cloud.
        components: What it is made of; on the rehearsal cloud what Azure would have taken.
        evictions: How often the cloud took the machine away, and what that has cost, in words; empty for never.
    """

    run_id: str
    cloud: str
    resources: tuple[ReceiptLine, ...]
    hours: float
    dollars: float
    components: tuple[CostLine, ...] = ()
    evictions: str = ""

    @property
    def cost_words(self) -> str:
        """The cost in a few words."""
        if self.cloud == "rehearsal":
            would = sum(line.dollars for line in self.components)
            return "nothing to pay (rehearsal)" + (f", on Azure about ${would:.2f}" if would >= 0.005 else "")
        return f"about ${self.dollars:.2f} for {self.hours:.2f} h"


def make_receipt(journal: Journal, run_id: str) -> Receipt:
    """The receipt as the journal has it now."""
    effects, cloud = journal.effects(run_id), journal.run(run_id).cloud
    decided = journal.get(run_id, Decided)
    begun = [effect.create_intended_at for effect in effects if effect.create_intended_at is not None]
    ended = [effect.gone_at for effect in effects if effect.gone_at is not None]
    hours = (max(ended) - min(begun)) / 3600 if begun and ended else 0.0
    undeleted = journal.get(run_id, Undeleted)
    reasons = undeleted.reasons if undeleted else {}
    components = cost_of_run(journal, run_id).lines
    counted = sum(line.dollars for line in components) if cloud != "rehearsal" else 0.0
    return Receipt(
        run_id=run_id,
        cloud=cloud,
        resources=tuple(_line(effect, reasons) for effect in effects),
        hours=hours,
        # A run that was never charged by the hour still has the plan's price.
        dollars=counted if components else hours * (decided.dollars_per_hour if decided else 0.0),
        components=components,
        evictions=sum_words(evictions_of(journal, run_id)),
    )


def _line(effect: EffectRow, reasons: Mapping[str, str]) -> ReceiptLine:
    why = "" if effect.gone_at else reasons.get(effect.resource_id.lower(), "")
    made = effect.created_at or effect.create_intended_at
    return ReceiptLine(effect.kind, effect.name, effect.resource_id, made, effect.gone_at, why)


def write_receipt(receipt: Receipt, file: Path) -> None:
    """Keep it beside the run's log."""
    write_private(file, json.dumps(asdict(receipt), indent=2) + "\n")


def read_receipt(file: Path) -> Receipt | None:
    """The receipt that was kept, or None."""
    if not file.exists():
        return None
    value = json.loads(file.read_text(encoding="utf-8"))
    lines = tuple(ReceiptLine(**line) for line in value.pop("resources"))
    components = tuple(CostLine(**line) for line in value.pop("components", ()))
    return Receipt(resources=lines, components=components, **value)
