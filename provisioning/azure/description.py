"""All that can be read of one run: for a computer that has only the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioning.adoption_types import FoundRun, RunInCloud
from provisioning.azure import observed as seen
from provisioning.azure.admission import admitted
from provisioning.azure.inventory import Inventory, or_none, unique
from provisioning.azure.naming import RUN_TAG, Names, ref_of
from provisioning.azure.provision import foreign_group
from provisioning.types import Placement, ResourceKind, ResourceRef

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from provisioning.azure.clients import Clients
    from provisioning.types import Machine


def describe(clients: Clients, names: Names, find_machine: Callable[[Mapping[str, Any]], Machine]) -> RunInCloud | None:
    """Read everything of one run; None when it has no group. A handful of calls, all of them reads.

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
    refs = unique([ref_of(names.group_id), *inventory.contents()])
    machine = _read_machine(clients, names) if _find(refs, ResourceKind.VIRTUAL_MACHINE, names.machine) else None
    disk = _read(inventory, _workspace_disk(refs, names))
    security = _read(inventory, _find(refs, ResourceKind.NETWORK_SECURITY_GROUP, names.security_group))
    return RunInCloud(
        group=_found(group),
        tags={**_tags(group), **_tags(disk), **_tags(machine)},
        refs=tuple(refs),
        machine=find_machine(machine) if machine is not None else None,
        placement=_placement(machine) if machine is not None else None,
        image=_image(machine) if machine is not None else "",
        workspace_gib=seen.value_at(disk, "properties.diskSizeGB") if disk is not None else None,
        caller_address=admitted(security) if security is not None else "",
    )


def _find(refs: Sequence[ResourceRef], kind: ResourceKind, name: str) -> ResourceRef | None:
    return next((ref for ref in refs if ref.kind is kind and ref.name.lower() == name.lower()), None)


def _workspace_disk(refs: Sequence[ResourceRef], names: Names) -> ResourceRef | None:
    """The one that counts: of two, a move is under way to the one with the higher number."""
    disks = [ref for ref in refs if ref.kind is ResourceKind.DISK and names.generation_of(ref.name)]
    return min(disks, key=lambda ref: names.generation_of(ref.name), default=None)


def _read(inventory: Inventory, ref: ResourceRef | None) -> Mapping[str, Any] | None:
    return inventory.read(ref) if ref is not None else None


def _read_machine(clients: Clients, names: Names) -> Mapping[str, Any] | None:
    machines = clients.compute.virtual_machines
    return or_none(lambda: machines.get(names.group, names.machine, expand="instanceView"), f"look at {names.machine}")


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
