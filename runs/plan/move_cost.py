"""What it costs to bring a workspace disk to another zone or region, in dollars and time. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.plan.prices import HOURS_PER_MONTH

if TYPE_CHECKING:
    from provisioning.types import Place

# Standard snapshots, by what is really on the disk (azure.microsoft.com/pricing/details/managed-disks, 2026).
SNAPSHOT_DOLLARS_PER_GB_MONTH = 0.05
# Between regions, by the source's part of the world, within it and out of it
# (azure.microsoft.com/pricing/details/bandwidth, 2026). Within a region it is free, also from zone to zone.
_NEAR_DOLLARS_PER_GB = {"America": 0.02, "Europe": 0.02, "": 0.08}
_FAR_DOLLARS_PER_GB = {"America": 0.05, "Europe": 0.05, "": 0.08}
_AMERICA = frozenset(
    {
        "canadacentral", "canadaeast", "centralus", "eastus", "eastus2", "northcentralus", "southcentralus",
        "westcentralus", "westus", "westus2", "westus3",
    }
)  # fmt: skip
_EUROPE = frozenset(
    {
        "francecentral", "germanywestcentral", "italynorth", "northeurope", "norwayeast", "polandcentral",
        "spaincentral", "swedencentral", "switzerlandnorth", "uksouth", "ukwest", "westeurope",
    }
)  # fmt: skip
# Azure promises no speed for a copy to another region: an assumption, which the note that states it calls one.
COPY_MB_PER_SECOND = 100.0
# A snapshot of a Premium or Standard SSD can be used at once, and so can the disk that is made of it
# (learn.microsoft.com/azure/virtual-machines/disks-instant-access-snapshots); three calls and their waiting.
_AT_ONCE_SECONDS = 60.0
# Those of other disks must first be copied in the background.
_AT_ONCE_TYPES = frozenset({"premium_lrs", "standardssd_lrs", "standard_lrs"})


@dataclass(frozen=True, slots=True)
class MoveCost:
    """What one move takes.

    Attributes:
        gb: What is on the disk, at most, in GB.
        snapshot_dollars: The snapshots, while they are needed.
        transfer_dollars: The way between two regions; 0 within one.
        seconds: How long, at an assumed speed.
    """

    gb: float
    snapshot_dollars: float
    transfer_dollars: float
    seconds: float

    @property
    def dollars(self) -> float:
        """All of it."""
        return self.snapshot_dollars + self.transfer_dollars

    @property
    def words(self) -> str:
        """`about $8.12 and 1.1 h`, `less than a cent and about a minute`."""
        dollars = f"about ${self.dollars:.2f}" if self.dollars >= 0.01 else "less than a cent"
        minutes = self.seconds / 60
        time = (
            "about a minute" if minutes <= 1 else f"{minutes:.0f} minutes" if minutes < 60 else f"{minutes / 60:.1f} h"
        )
        return f"{dollars} and {time}"


def move_cost(here: Place, there: Place, gb: float, disk_type: str) -> MoveCost:
    """What it takes to bring a disk from one place to another.

    Args:
        here: Where it stands.
        there: Where it goes.
        gb: What is on it, at most, in GB: empty blocks are neither stored nor sent.
        disk_type: Its type, for example `Premium_LRS`.
    """
    across = here.region != there.region
    in_background = disk_type.lower() not in _AT_ONCE_TYPES
    copies = int(across) + 2 * int(in_background)
    seconds = _AT_ONCE_SECONDS + copies * gb * 1e3 / COPY_MB_PER_SECOND
    snapshots = 2 if across else 1
    return MoveCost(
        gb=gb,
        snapshot_dollars=snapshots * snapshot_dollars_per_hour(gb) * seconds / 3600,
        transfer_dollars=gb * _dollars_per_gb(here.region, there.region) if across else 0.0,
        seconds=seconds,
    )


def snapshot_dollars_per_hour(gb: float) -> float:
    """A snapshot of a disk with so much on it, while it exists."""
    return gb * SNAPSHOT_DOLLARS_PER_GB_MONTH / HOURS_PER_MONTH


def _dollars_per_gb(here: str, there: str) -> float:
    source = _continent(here)
    near = bool(source) and source == _continent(there)
    return (_NEAR_DOLLARS_PER_GB if near else _FAR_DOLLARS_PER_GB)[source]


def _continent(region: str) -> str:
    return "America" if region in _AMERICA else "Europe" if region in _EUROPE else ""
