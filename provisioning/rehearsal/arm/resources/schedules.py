"""Auto-shutdown schedules: at their minute of the day they deallocate a machine, without any right of anybody's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.compute.machine_actions import begin_deallocation

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.store import Resource
    from provisioning.rehearsal.arm.world import World

SCHEDULES = "Microsoft.DevTestLab/schedules"


def next_shutdown(hour_minute: str, now: float) -> float:
    """The next moment after `now` (seconds since the epoch) at which a daily `HHmm` (UTC) comes."""
    after = datetime.fromtimestamp(now, UTC)
    at = after.replace(hour=int(hour_minute[:2]), minute=int(hour_minute[2:]), second=0, microsecond=0)
    return (at if at > after else at + timedelta(days=1)).timestamp()


def arm(world: World, schedule: Resource) -> None:
    """Note when a schedule comes next; a killed cloud catches up with it."""
    time_of_day = str(schedule.properties["dailyRecurrence"]["time"])
    schedule.private["next_at"] = next_shutdown(time_of_day, world.now())


def shut_down_what_is_due(world: World) -> None:
    """Deallocate the machines whose minute has come; each schedule then waits for the next day."""
    for schedule in world.store.all(SCHEDULES):
        if world.now() < float(schedule.private.get("next_at", float("inf"))):
            continue
        arm(world, schedule)
        world.store.put(schedule)
        machine = world.store.get(str(schedule.properties["targetResourceId"]))
        if machine is not None and str(schedule.properties.get("status", "Enabled")).lower() == "enabled":
            begin_deallocation(world, machine)
