"""What each resource of a run costs an hour, from what was decided for the run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from provisioning.types import ResourceKind
from runs.facts import Decided
from runs.journal.charges import Component, Rate, begin_charges, charges_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provisioning.types import ResourceRef
    from runs.journal import Journal

# The system disk's type (provisioning.azure.virtual_machine); it is made and deleted together with the machine.
SYSTEM_DISK_TYPE = "Premium_LRS"
# Azure's list price for data that leaves it for the internet, to North America and Europe; the first 100 GB of a
# month are free, which another run may have used up (azure.microsoft.com/pricing/details/bandwidth, 2026).
EGRESS_DOLLARS_PER_GB = 0.087
_PRICED = frozenset({ResourceKind.VIRTUAL_MACHINE, ResourceKind.DISK, ResourceKind.PUBLIC_IP, ResourceKind.SNAPSHOT})
# After a move the disk's name ends with a number.
_WORKSPACE = re.compile(r"-workspace(-\d+)?$")


def rates_of(journal: Journal, run_id: str, ref: ResourceRef) -> Sequence[Rate]:
    """What `ref` costs while it exists; nothing for what is free, or when nothing was decided yet.

    A machine carries its own system disk, so that what the cloud makes by itself is counted, too.
    """
    if ref.kind not in _PRICED:
        return ()
    decided = journal.get(run_id, Decided)
    if decided is None:
        return ()
    if ref.kind is ResourceKind.VIRTUAL_MACHINE:
        return machine_rates(decided, _system_disk_gib(journal, run_id))
    return _disk_rates(decided, ref) if ref.kind is not ResourceKind.PUBLIC_IP else (_address_rate(decided),)


def _address_rate(decided: Decided) -> Rate:
    return Rate(Component.ADDRESS, "Standard", decided.address_dollars_per_hour, decided.price_basis)


def _disk_rates(decided: Decided, ref: ResourceRef) -> Sequence[Rate]:
    gib = f"{decided.workspace_gib:,} GiB"
    if ref.kind is ResourceKind.SNAPSHOT:
        return (_snapshot_rate(decided, gib),)
    if not _WORKSPACE.search(ref.name):
        return ()
    return (Rate(Component.WORKSPACE_DISK, gib, decided.disk_dollars_per_hour, decided.price_basis),)


def charge_existing(journal: Journal, run_id: str, refs: Iterable[ResourceRef], *, since: float) -> None:
    """Count what was found to exist (a run known again from the cloud) from `since` on; what was ever counted stays.

    A machine's hours are counted as if it had run all the time: nobody knows of its pauses any more.
    """
    counted = {charge.resource_id.lower() for charge in charges_of(journal, run_id)}
    new = [ref for ref in refs if ref.resource_id.lower() not in counted]
    rates = [(ref, rates_of(journal, run_id, ref)) for ref in new]
    with journal.transaction() as db:
        for ref, its_rates in rates:
            begin_charges(db, run_id, ref.resource_id, its_rates, since)


def machine_rates(decided: Decided, system_disk_gib: int) -> Sequence[Rate]:
    """The machine and its system disk."""
    from runs.plan.prices import SNAPSHOT_DATE, disk_price

    terms = f"{decided.size}{', spot' if decided.spot else ''}"
    disk = disk_price(SYSTEM_DISK_TYPE, system_disk_gib)
    return (
        Rate(Component.MACHINE, terms, decided.machine_dollars_per_hour, decided.price_basis),
        Rate(Component.SYSTEM_DISK, f"{system_disk_gib:,} GiB", disk, f"list prices of {SNAPSHOT_DATE}"),
    )


def _snapshot_rate(decided: Decided, gib: str) -> Rate:
    """As if the disk were full: what is really on it, only the cloud knows."""
    from runs.plan.move_cost import SNAPSHOT_DOLLARS_PER_GB_MONTH, snapshot_dollars_per_hour

    gb = decided.workspace_gib * 1.073741824
    basis = f"${SNAPSHOT_DOLLARS_PER_GB_MONTH} a GB and month, list price, at most"
    return Rate(Component.SNAPSHOT, gib, snapshot_dollars_per_hour(gb), basis)


def _system_disk_gib(journal: Journal, run_id: str) -> int:
    from runs.spec.load import load_run_text

    row = journal.run(run_id)
    if not row.spec_text:  # a run that was found again without its run file
        return 0
    return load_run_text(row.spec_text, Path(row.run_file)).spec.machine.os_disk_gib
