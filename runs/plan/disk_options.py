"""What one save would take on other disks, and what that would cost. Pure; list prices, so that they compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.plan.disk import DiskChoice, faster_tiers, flat_speed
from runs.plan.prices import disk_price

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.plan.figures import Figures

_FASTER_TIERS = 2


@dataclass(frozen=True, slots=True)
class DiskOption:
    """Another disk for the workspace.

    Attributes:
        disk: The disk.
        save_seconds: One save on it.
        extra_dollars: What the whole run would cost more, less the machine's time that quicker saves leave; None when
            the run's length is unknown.
    """

    disk: DiskChoice
    save_seconds: float
    extra_dollars: float | None


def disk_options(figures: Figures, machine_dollars_per_hour: float, nodes: int = 1) -> tuple[DiskOption, ...]:
    """Give other disks that a run could have: two faster tiers of Premium SSD, Premium SSD v2, Standard SSD.

    Args:
        figures: What the run takes.
        machine_dollars_per_hour: The price of all its machines.
        nodes: How many there are; each has such a disk.
    """
    return tuple(_option(figures, disk, machine_dollars_per_hour, nodes) for disk in _others(figures, nodes))


def _others(figures: Figures, nodes: int) -> Iterator[DiskChoice]:
    own, most = figures.disk, figures.size.disk_mb_per_second
    if own.mb_per_second < most:
        for tier, gib, speed in faster_tiers(own.mb_per_second, figures.need.total)[:_FASTER_TIERS]:
            yield DiskChoice(gib, "Premium_LRS", tier, min(speed, most))
    for disk_type in ("PremiumV2_LRS", "StandardSSD_LRS"):
        # Premium SSD v2 needs a zone, and an availability set has none.
        if disk_type != own.disk_type and not (nodes > 1 and disk_type == "PremiumV2_LRS"):
            yield DiskChoice(own.gib, disk_type, "", min(flat_speed(disk_type), most))


def _option(figures: Figures, disk: DiskChoice, machine_dollars_per_hour: float, nodes: int) -> DiskOption:
    save = figures.need.checkpoint / (disk.mb_per_second * 1e6)
    if figures.time is None or figures.saves is None:
        return DiskOption(disk, save, None)
    own_price = disk_price(figures.disk.disk_type, figures.disk.gib) * nodes
    price = disk_price(disk.disk_type, disk.gib) * nodes
    # With scratch only the way of the last save is waited for.
    own, waits = figures.need.checkpoint / (figures.disk.mb_per_second * 1e6), len(figures.saves.steps)
    longer_hours = (save - own) * (1 if figures.saves.drain_seconds else waits) / 3600
    hours = figures.time.total_seconds / 3600
    extra = (price - own_price) * hours + longer_hours * (machine_dollars_per_hour + price)
    return DiskOption(disk, save, extra)
