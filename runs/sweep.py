"""Everything of ours that a subscription holds, with what this computer knows about it and what it costs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from provisioning.types import ResourceKind
from runs.driver import DRIVER_TAG, Driver
from runs.facts import Client, Decided
from runs.journal import Journal
from runs.journal.lease import driver_of
from runs.loss import may_lose_model
from runs.sweep_prices import hourly_price

if TYPE_CHECKING:
    from provisioning.owned_types import OwnedRun
    from provisioning.types import Cloud
    from runs.state_folder import StateFolder
    from runs.types import RunRow

_UNKNOWN_MODEL = "this computer does not know whether its model is at home"
_MODEL_NOT_HOME = "its model is not at home yet"


class Here(StrEnum):
    """What this computer's journal says about a run."""

    UNKNOWN = "not known here"
    ACTIVE = "active"
    ENDED = "ended"
    TAKEN_OVER = "taken over elsewhere"


@dataclass(frozen=True, slots=True)
class SweptRun:
    """One run of which something exists.

    Attributes:
        owned: What exists.
        cloud: `azure` or `rehearsal`.
        here: What this computer's journal says about it.
        driver: The living client that drives it, here or on another computer; empty when nobody does.
        risk: Why deleting it may lose a model; empty when it cannot.
        dollars_per_hour: What goes on costing, at list prices (spot machines: at most) or the run's own; on the
            rehearsal cloud what Azure would take.
        unpriced: What has no price in it because its size or type is not in the price table.
        age_seconds: How long the oldest of it exists; None when Azure does not say.
        is_expired: Whether it should have ended by now.
    """

    owned: OwnedRun
    cloud: str
    here: Here
    driver: str
    risk: str
    dollars_per_hour: float
    unpriced: tuple[str, ...]
    age_seconds: float | None
    is_expired: bool

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.owned.run_id


def sweep(cloud: Cloud, state: StateFolder, run_id: str | None = None) -> list[SweptRun]:
    """Every run of ours that the cloud's subscription holds anything of, whichever computer made it.

    Args:
        cloud: Where to look.
        state: Where this computer's journal is, if it has one.
        run_id: Only this run.

    Raises:
        ProvisioningError: The cloud cannot be asked.
    """
    journal = Journal(state.journal) if state.journal.exists() else None
    found = [run for run in cloud.owned() if run_id in {None, run.run_id}]
    return [_swept(run, cloud, journal) for run in found]


def known_row(journal: Journal | None, cloud: Cloud, run_id: str) -> RunRow | None:
    """The journal's row of a run of this cloud and subscription, or None."""
    if journal is None:
        return None
    row = next((row for row in journal.runs() if row.run_id == run_id and row.cloud == cloud.name), None)
    decided = journal.get(run_id, Decided)
    elsewhere = decided is not None and decided.subscription_id.lower() != cloud.account().subscription_id.lower()
    return None if elsewhere else row


def _swept(owned: OwnedRun, cloud: Cloud, journal: Journal | None) -> SweptRun:
    row, now = known_row(journal, cloud, owned.run_id), time.time()
    known = journal if row is not None else None
    here = _here(owned, known, row)
    prices = [hourly_price(item, known.get(owned.run_id, Decided) if known else None) for item in owned.items]
    return SweptRun(
        owned=owned,
        cloud=cloud.name,
        here=here,
        driver=_driver(owned, known, now),
        risk=_risk(owned, known, here),
        dollars_per_hour=sum(price or 0.0 for price in prices),
        unpriced=tuple(item.ref.name for item, price in zip(owned.items, prices, strict=True) if price is None),
        age_seconds=None if owned.created_at is None else max(0.0, now - owned.created_at.timestamp()),
        is_expired=owned.expires_at is not None and owned.expires_at.timestamp() <= now,
    )


def _here(owned: OwnedRun, journal: Journal | None, row: RunRow | None) -> Here:
    if journal is None or row is None:
        return Here.UNKNOWN
    other, me = Driver.from_tag(owned.tags.get(DRIVER_TAG)), journal.get(owned.run_id, Client)
    if other is not None and (me is None or me.id != other.client):
        return Here.TAKEN_OVER
    return Here(row.state.value)


def _driver(owned: OwnedRun, journal: Journal | None, now: float) -> str:
    """By the lease on this computer, by the group's tag on any."""
    lease = driver_of(journal, owned.run_id) if journal is not None else None
    if lease is not None:
        return f"process {lease.pid} on {lease.host}"
    other = Driver.from_tag(owned.tags.get(DRIVER_TAG))
    return f"process {other.pid} on {other.host}" if other is not None and other.drives(now) else ""


def _risk(owned: OwnedRun, journal: Journal | None, here: Here) -> str:
    if journal is not None and here in {Here.ACTIVE, Here.ENDED}:
        lost = here is Here.ACTIVE and may_lose_model(journal, owned.run_id)
        return _MODEL_NOT_HOME if lost else ""
    # The machine's own disk holds nothing that is worth anything.
    disks = [item.ref.name for item in owned.items if item.ref.kind is ResourceKind.DISK]
    return _UNKNOWN_MODEL if [name for name in disks if name != f"{owned.run_id}-os"] else ""
