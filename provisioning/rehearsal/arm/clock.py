"""What the cloud does by itself when its time has come: auto-shutdowns and evictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.compute.evictions import evict_what_is_due
from provisioning.rehearsal.arm.resources.schedules import shut_down_what_is_due

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.world import World


def tick(world: World) -> None:
    """Do what is due at this moment of the world's clock."""
    with world.store.lock:
        shut_down_what_is_due(world)
        evict_what_is_due(world)


def jump(world: World, seconds: float) -> None:
    """Put the world's clock forward (or back) and do at once what that makes due."""
    world.settings.clock_offset_seconds += seconds
    tick(world)
