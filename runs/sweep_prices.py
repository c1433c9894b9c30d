"""What a resource that was found in the cloud costs, when all that is known of it is what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.types import PowerState, ResourceKind
from runs.plan.move_cost import snapshot_dollars_per_hour
from runs.plan.prices import PUBLIC_IP_DOLLARS_PER_HOUR, disk_price, machine_price

if TYPE_CHECKING:
    from provisioning.owned_types import OwnedItem
    from runs.facts import Decided


def hourly_price(item: OwnedItem, decided: Decided | None) -> float | None:
    """What `item` costs an hour at this moment; None when its size or type is not in the price table.

    Args:
        item: The resource.
        decided: What its run decided, where this computer knows: its machine's price is better than the list's.
    """
    match item.ref.kind:
        case ResourceKind.VIRTUAL_MACHINE:
            return _machine(item, decided)
        case ResourceKind.DISK:
            return _disk(item)
        case ResourceKind.PUBLIC_IP:
            return PUBLIC_IP_DOLLARS_PER_HOUR
        case ResourceKind.SNAPSHOT:
            # As if the disk had been full: what is really in it, only the bill says.
            return snapshot_dollars_per_hour(item.gib * 1.073741824)
    return 0.0


def _machine(item: OwnedItem, decided: Decided | None) -> float | None:
    # One that is only off is billed: only the hardware given back is not.
    if item.power is PowerState.DEALLOCATED:
        return 0.0
    if decided is not None and decided.size.lower() == item.size.lower():
        return decided.machine_dollars_per_hour
    try:
        return machine_price(item.size, item.region).dollars_per_hour
    except ValueError:
        return None


def _disk(item: OwnedItem) -> float | None:
    try:
        return disk_price(item.disk_type, item.gib)
    except KeyError:
        return None
