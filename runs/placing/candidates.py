"""What to try, in order, each with its price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioning.types import Placement
from runs.plan.prices import PUBLIC_IP_DOLLARS_PER_HOUR, SNAPSHOT_DATE, disk_price, machine_price

if TYPE_CHECKING:
    from runs.spec.load import LoadedRunFile


@dataclass(frozen=True, slots=True)
class PricedPlacement:
    """A placement and what it costs in dollars an hour."""

    placement: Placement
    machine_dollars_per_hour: float
    disk_dollars_per_hour: float
    address_dollars_per_hour: float
    price_basis: str
    obstacle: None = None

    @property
    def dollars_per_hour(self) -> float:
        return self.machine_dollars_per_hour + self.disk_dollars_per_hour + self.address_dollars_per_hour


def ranked_placements(loaded: LoadedRunFile, survey: object) -> tuple[PricedPlacement, ...]:
    """Size by size, region by region: its zones, then no zone."""
    from runs.plan import make_plan

    machine, gib = loaded.spec.machine, make_plan(loaded).workspace_gib
    zones = [*map(str, machine.zones), None]
    return tuple(
        PricedPlacement(
            Placement(region, zone, size, machine.spot),
            machine.max_price or machine_price(size, region).dollars_per_hour,
            disk_price(loaded.spec.storage.disk_type, gib),
            PUBLIC_IP_DOLLARS_PER_HOUR,
            f"list prices of {SNAPSHOT_DATE}",
        )
        for size in (machine.size, *machine.other_sizes)
        for region in machine.regions
        for zone in zones
    )
