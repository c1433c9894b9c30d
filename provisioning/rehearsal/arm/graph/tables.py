"""The tables that a query may ask. To add one, write what gives its rows and name it in `TABLES`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from provisioning.rehearsal.arm.compute import machine_view
from provisioning.rehearsal.arm.compute.references import MACHINE_TYPE, disks_of
from provisioning.rehearsal.arm.graph.spot import spot_bodies
from provisioning.rehearsal.arm.world import GROUP_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from provisioning.rehearsal.arm.store import Resource
    from provisioning.rehearsal.arm.world import World

    Row: TypeAlias = dict[str, Any]
    # Given the cloud and the resources that Resource Graph has heard of.
    Table: TypeAlias = Callable[[World, Sequence[Resource]], list[Row]]

# Every table has these columns, whatever is in them.
COLUMNS = (
    *("id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId", "managedBy", "sku"),
    *("plan", "properties", "tags", "identity", "zones", "extendedLocation"),
)
_DISK_TYPE = "Microsoft.Compute/disks"
# Role assignments and locks are in other tables, which nobody asks.
_ELSEWHERE = frozenset({GROUP_TYPE, "Microsoft.Authorization/roleAssignments", "Microsoft.Authorization/locks"})


def _resources(world: World, known: Sequence[Resource]) -> list[Row]:
    holders = {
        str(disk["managedDisk"].get("id", "")).lower(): machine
        for machine in known
        if machine.type == MACHINE_TYPE
        for disk in disks_of(machine)
    }
    return [_resource(world, each, holders.get(each.id.lower())) for each in known if each.type not in _ELSEWHERE]


def _resource(world: World, resource: Resource, holder: Resource | None) -> Row:
    row = row_of(world, resource.body) | {"resourceGroup": resource.group.lower()}
    if resource.type == MACHINE_TYPE:
        power = {"code": f"PowerState/{machine_view.power(world, resource)}"}
        row["properties"] = {**resource.properties, "extended": {"instanceView": {"powerState": power}}}
    elif resource.type == _DISK_TYPE:
        row["managedBy"] = holder.id if holder else ""
        row["properties"] = {**resource.properties, "diskState": "Attached" if holder else "Unattached"}
    return row


def _containers(world: World, known: Sequence[Resource]) -> list[Row]:
    """The subscription and its resource groups."""
    subscription = world.account.subscription_id
    body = {"id": f"/subscriptions/{subscription}", "name": "Rehearsal", "type": "microsoft.resources/subscriptions"}
    groups = [
        row_of(world, group.body)
        | {"type": "microsoft.resources/subscriptions/resourcegroups", "resourceGroup": group.name.lower()}
        for group in known
        if group.type == GROUP_TYPE
    ]
    return [row_of(world, body), *groups]


def row_of(world: World, body: Mapping[str, Any]) -> Row:
    """A resource's body as a row: types and group names in lower case, nothing missing."""
    row: Row = dict.fromkeys(COLUMNS)
    row |= dict.fromkeys(("kind", "location", "managedBy", "resourceGroup"), "")
    row |= {name: body[name] for name in COLUMNS if body.get(name) is not None}
    return row | {
        "type": str(body["type"]).lower(),
        "tenantId": world.account.tenant_id,
        "subscriptionId": world.account.subscription_id,
    }


def _spot(world: World, _known: Sequence[Resource]) -> list[Row]:
    return [row_of(world, body) for body in spot_bodies(world)]


TABLES: Mapping[str, Table] = {
    "resources": _resources,
    "resourcecontainers": _containers,
    "spotresources": _spot,
}
