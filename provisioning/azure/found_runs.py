"""What runs exist, and all that can be read of one: for a computer that has only the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioning.adoption_types import FoundRun, RunInCloud
from provisioning.azure import observed as seen
from provisioning.azure.admission import admitted
from provisioning.azure.errors import translated
from provisioning.azure.inventory import Inventory, or_none, unique
from provisioning.azure.naming import RUN_TAG, Names, ref_of
from provisioning.azure.provision import foreign_group
from provisioning.types import Placement, ResourceKind, ResourceRef

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from provisioning.azure.clients import Clients
    from provisioning.types import Machine


def found_runs(clients: Clients) -> list[FoundRun]:
    """Every group of the subscription that carries the run tag, with one call."""
    with translated(f"list the resource groups that are tagged {RUN_TAG}"):
        groups = list(clients.resources.resource_groups.list(filter=f"tagName eq '{RUN_TAG}'"))
    return [_found(group) for group in groups]


def describe(clients: Clients, names: Names, find_machine: Callable[[Mapping[str, Any]], Machine]) -> RunInCloud | None:
    """Read everything of one run; None when it has no group. At most seven calls, all of them reads.

    Args:
        clients: The SDK clients.
        names: The run's names.
        find_machine: Turns a machine as Azure describes it into ours.

    Raises:
        RequestRefusedError: The group of the run's name is not the run's.
    """
    inventory = Inventory(clients, names)
    group = inventory.group()
    if group is None:
        return None
    if not inventory.is_ours(group):
        raise foreign_group(names)
    refs = [ref_of(names.group_id), *inventory.in_group()]
    machine = _read_machine(clients, names) if _has(refs, ResourceKind.VIRTUAL_MACHINE, names.machine) else None
    disk = _read_disk(clients, names) if _has(refs, ResourceKind.DISK, names.workspace_disk) else None
    security = _read_security(clients, names) if _has(refs, ResourceKind.NETWORK_SECURITY_GROUP) else None
    return RunInCloud(
        group=_found(group),
        tags={**_tags(group), **_tags(disk), **_tags(machine)},
        refs=tuple(unique([*refs, *_unlisted(inventory, names, machine)])),
        machine=find_machine(machine) if machine is not None else None,
        placement=_placement(machine) if machine is not None else None,
        image=_image(machine) if machine is not None else "",
        workspace_gib=seen.value_at(disk, "properties.diskSizeGB") if disk is not None else None,
        caller_address=admitted(security) if security is not None else "",
    )


def _has(refs: Sequence[ResourceRef], kind: ResourceKind, name: str | None = None) -> bool:
    return any(ref.kind is kind and (name is None or ref.name.lower() == name.lower()) for ref in refs)


def _read_machine(clients: Clients, names: Names) -> Mapping[str, Any] | None:
    machines = clients.compute.virtual_machines
    return or_none(lambda: machines.get(names.group, names.machine, expand="instanceView"), f"look at {names.machine}")


def _read_disk(clients: Clients, names: Names) -> Mapping[str, Any] | None:
    return or_none(
        lambda: clients.compute.disks.get(names.group, names.workspace_disk), f"look at {names.workspace_disk}"
    )


def _read_security(clients: Clients, names: Names) -> Mapping[str, Any] | None:
    groups = clients.network.network_security_groups
    return or_none(lambda: groups.get(names.group, names.security_group), f"look at {names.security_group}")


def _unlisted(inventory: Inventory, names: Names, machine: Mapping[str, Any] | None) -> list[ResourceRef]:
    """The role assignment: no listing of a group shows it, but its name follows from the machine's identity."""
    principal = seen.value_at(machine, "identity.principalId") if machine is not None else None
    if not principal:
        return []
    assignment = ref_of(names.id_of(ResourceKind.ROLE_ASSIGNMENT, names.role_assignment(str(principal))))
    return [assignment] if inventory.exists(assignment) else []


def _found(group: Mapping[str, Any]) -> FoundRun:
    tags = _tags(group)
    is_leaving = seen.provisioning_state(group) == seen.DELETING
    return FoundRun(tags.get(RUN_TAG, ""), str(group["location"]), tags, is_leaving)


def _tags(resource: Mapping[str, Any] | None) -> dict[str, str]:
    return {str(name): str(value) for name, value in ((resource or {}).get("tags") or {}).items()}


def _placement(machine: Mapping[str, Any]) -> Placement:
    zones = machine.get("zones") or []
    return Placement(
        region=str(machine["location"]),
        zone=str(zones[0]) if zones else None,
        size=str(seen.value_at(machine, "properties.hardwareProfile.vmSize")),
        spot=seen.value_at(machine, "properties.priority") == "Spot",
    )


def _image(machine: Mapping[str, Any]) -> str:
    image = seen.value_at(machine, "properties.storageProfile.imageReference") or {}
    words = [str(image.get(key) or "") for key in ("publisher", "offer", "sku", "version")]
    return ":".join(words) if all(words) else ""
