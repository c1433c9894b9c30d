"""Evictions of spot machines: announced inside the machine, hastened by its consent, done as its policy says.

Azure announces a `Preempt` event at least 30 s ahead, best effort; a machine that acknowledges it goes at once
(learn.microsoft.com/azure/virtual-machines/linux/scheduled-events).
"""

from __future__ import annotations

import uuid
from email.utils import formatdate
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.compute.machine_actions import begin_deallocation
from provisioning.rehearsal.arm.compute.references import MACHINE_TYPE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.store import Resource
    from provisioning.rehearsal.arm.world import World


def announce(world: World, machine: Resource, notice_seconds: float) -> None:
    """Take a machine away after `notice_seconds`, or at once and unannounced when that is 0; once at a time."""
    if notice_seconds <= 0:
        _evict(world, machine)
    elif "eviction" not in machine.private:
        machine.private["eviction"] = {"id": str(uuid.uuid4()).upper(), "not_before": world.now() + notice_seconds}
        _count_change(world, machine)


def scheduled_events(machine: Resource) -> Json:
    """What the machine's metadata service answers."""
    eviction = machine.private.get("eviction")
    return {
        "DocumentIncarnation": machine.private.get("event_changes", 1),
        "Events": [] if eviction is None else [_event(machine, eviction)],
    }


def acknowledge(world: World, machine: Resource, event_ids: Sequence[str]) -> None:
    """The machine need not be waited for any longer."""
    eviction = machine.private.get("eviction")
    if eviction is not None and eviction["id"] in event_ids:
        _evict(world, machine)


def evict_what_is_due(world: World) -> None:
    """Take away the machines whose notice is over."""
    for machine in world.store.all(MACHINE_TYPE):
        eviction = machine.private.get("eviction")
        if eviction is not None and world.now() >= eviction["not_before"]:
            _evict(world, machine)


def _event(machine: Resource, eviction: Json) -> Json:
    return {
        "EventId": eviction["id"],
        "EventStatus": "Scheduled",
        "EventType": "Preempt",
        "ResourceType": "VirtualMachine",
        "Resources": [machine.name],
        "NotBefore": formatdate(eviction["not_before"], usegmt=True),
        "Description": "",
        "EventSource": "Platform",
        "DurationInSeconds": -1,
    }


def _evict(world: World, machine: Resource) -> None:
    machine.private.pop("eviction", None)
    _count_change(world, machine)
    if str(machine.properties.get("evictionPolicy", "Deallocate")).lower() != "delete":
        begin_deallocation(world, machine)
    elif world.operations.running_on(machine.id, "delete") is None:
        machine.properties["provisioningState"] = "Deleting"
        world.store.put(machine)
        world.operations.start("delete", machine.id, None)


def _count_change(world: World, machine: Resource) -> None:
    machine.private["event_changes"] = int(machine.private.get("event_changes", 1)) + 1
    world.store.put(machine)
