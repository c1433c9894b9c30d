"""Everything that the rehearsal cloud has: all routes, all kinds, all actions, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm import rights
from provisioning.rehearsal.arm.compute import (
    availability_sets,
    disks,
    images,
    machine_actions,
    machines,
    quota,
    run_command,
    skus,
    snapshots,
)
from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.graph import requests as graph_requests
from provisioning.rehearsal.arm.network import interfaces, networks, public_ips, security_groups
from provisioning.rehearsal.arm.resources import extensions, groups, listing, locks, polling, providers, subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.kinds import Kind
    from provisioning.rehearsal.arm.operations import Action, Operation
    from provisioning.rehearsal.arm.world import World

_MODULES = (
    subscriptions,
    providers,
    groups,
    listing,
    polling,
    extensions,
    networks,
    security_groups,
    public_ips,
    interfaces,
    disks,
    images,
    quota,
    machines,
    graph_requests,
    locks,
    rights,
    skus,
    run_command,
    snapshots,
    availability_sets,
)
ROUTES = [route for module in _MODULES for route in module.ROUTES]

_KINDS = (
    networks.KIND,
    security_groups.KIND,
    public_ips.KIND,
    interfaces.KIND,
    disks.KIND,
    machines.KIND,
    extensions.SCHEDULE_KIND,
    extensions.ASSIGNMENT_KIND,
    locks.KIND,
    snapshots.KIND,
    availability_sets.KIND,
)
KINDS: Mapping[str, Kind] = {kind.type.lower(): kind for kind in _KINDS}


def actions(world: World) -> dict[str, Action]:
    """What each kind of operation does, bound to `world`."""

    def bound(action: Callable[[World, Operation], Json | None]) -> Action:
        return lambda operation: action(world, operation)

    return {
        "settle": bound(_settle),
        "settle-disk": bound(disks.settle),
        "settle-snapshot": bound(snapshots.settle),
        "delete": bound(_delete),
        "group-delete": bound(_delete_group),
        "machine-create": bound(_no_output(machine_actions.create)),
        "machine-update": bound(_no_output(machine_actions.update)),
        "machine-start": bound(_no_output(machine_actions.start)),
        "machine-restart": bound(_no_output(machine_actions.restart)),
        "machine-deallocate": bound(_no_output(machine_actions.deallocate)),
        "machine-power-off": bound(_no_output(machine_actions.power_off)),
        "run-command": bound(run_command.run),
    }


def _no_output(action: Callable[[World, Operation], None]) -> Callable[[World, Operation], Json | None]:
    def run(world: World, operation: Operation) -> Json | None:
        action(world, operation)
        return None

    return run


def _settle(world: World, operation: Operation) -> Json | None:
    with world.store.lock:
        resource = world.store.get(operation.target)
        if resource is not None and resource.state != "Deleting":
            resource.properties["provisioningState"] = "Succeeded"
            for subnet in resource.properties.get("subnets", []):
                subnet["properties"]["provisioningState"] = "Succeeded"
            world.store.put(resource)
    return None


def _delete(world: World, operation: Operation) -> Json | None:
    resource = world.store.get(operation.target)
    if resource is None:
        return None
    kind = KINDS[resource.type.lower()]
    blocker = kind.blocker(world, resource)
    if blocker is not None:
        raise blocker
    kind.erase(world, resource)
    return None


def _delete_group(world: World, operation: Operation) -> Json | None:
    groups.delete_everything(world, operation, KINDS)
    return None


def note_failure(world: World, operation: Operation) -> None:
    """What a failed operation leaves of its target: state Failed; a group is usable again."""
    with world.store.lock:
        resource = world.store.get(operation.target)
        # A script that could not be run says nothing about the machine.
        if resource is None or operation.action == "run-command":
            return
        is_group = operation.action == "group-delete"
        resource.properties["provisioningState"] = "Succeeded" if is_group else "Failed"
        if operation.action == "machine-create":
            machine_actions.note_failure(world, resource, operation.error or ArmError(500, "InternalError", "").error())
        elif operation.action == "machine-start" and resource.private.get("power") == "starting":
            # It never got its hardware back.
            resource.private["power"] = "deallocated"
        world.store.put(resource)


def revive(world: World) -> None:
    """Boot again what was running when the emulator was last alive."""
    for machine in world.store.all(machines.KIND.type):
        if machine.private.get("power") == "running" and machine.state == "Succeeded":
            world.operations.start("machine-start", machine.id, None)
