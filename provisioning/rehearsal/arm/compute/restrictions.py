"""Sizes that the subscription may not have in a region or a zone, as the settings script it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.compute.sizes import zones_of
from provisioning.rehearsal.arm.errors import size_not_available

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioning.rehearsal.arm.compute.sizes import Size
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.world import World


def restrictions_of(world: World, size: Size, region: str) -> list[Json]:
    """The restrictions as a Resource SKUs item carries them."""
    return [_restriction(scripted, region) for scripted in _scripted(world, size, region)]


def check_restrictions(world: World, size: Size, region: str, zones: Sequence[str]) -> None:
    """Refuse a machine of a size that is restricted in its region or its zone, or that the zone does not have.

    Raises:
        ArmError: 409 SkuNotAvailable.
    """
    taken = {zone for scripted in _scripted(world, size, region) for zone in scripted.get("zones") or [""]}
    if "" in taken or any(zone in taken or zone not in zones_of(size, region) for zone in zones):
        raise size_not_available(size.name, region)


def _scripted(world: World, size: Size, region: str) -> list[Json]:
    return [
        each
        for each in world.settings.size_restrictions
        if str(each["size"]).lower() == size.name.lower() and each["region"] == region
    ]


def _restriction(scripted: Json, region: str) -> Json:
    zones = [str(zone) for zone in scripted.get("zones") or []]
    info: Json = {"locations": [region], **({"zones": zones} if zones else {})}
    return {
        "type": "Zone" if zones else "Location",
        "values": [region],
        "restrictionInfo": info,
        "reasonCode": scripted.get("reason", "NotAvailableForSubscription"),
    }
