"""Which disk of a run is the workspace: the cloud's own word, also while it is being moved.

A disk cannot be renamed, and until a move is over there are two: the old one, which has everything, and the new one
with the next number. The old one is deleted before any machine gets the new one; so the lowest number always counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioning.azure import observed as seen
from provisioning.azure.errors import translated
from provisioning.azure.inventory import or_none
from provisioning.errors import RequestRefusedError
from provisioning.types import Place, Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from provisioning.azure.clients import Clients
    from provisioning.azure.naming import Names

# On a move's snapshots: where to, as `westus3/2`; without a zone `westus3/`.
MOVE_TAG = "llamalift-move-to"


def workspace_disks(clients: Clients, names: Names) -> list[Mapping[str, Any]]:
    """The run's workspace disks as they are, the one that counts first; empty without any."""
    disks = clients.compute.disks
    listed = _listed(lambda: disks.list_by_resource_group(names.group), f"list the disks of {names.group}")
    ours = sorted((name for name in listed if names.generation_of(name)), key=names.generation_of)
    # Lists lag behind deletions: what a read does not find is gone.
    found = [or_none(lambda name=name: disks.get(names.group, name), f"look at {name}") for name in ours]  # type: ignore[misc]  # mypy has no type for a lambda's default
    return [one for one in found if one is not None]


def move_snapshots(clients: Clients, names: Names) -> list[Mapping[str, Any]]:
    """The snapshots that a move of the run has made, as they are."""
    snapshots = clients.compute.snapshots
    listed = _listed(lambda: snapshots.list_by_resource_group(names.group), f"list the snapshots of {names.group}")
    ours = [name for name in listed if name.lower().startswith(f"{names.workspace_disk_of(1)}-".lower())]
    found = [or_none(lambda name=name: snapshots.get(names.group, name), f"look at {name}") for name in ours]  # type: ignore[misc]  # as above
    return [one for one in found if one is not None]


def find_workspace(clients: Clients, names: Names) -> Workspace | None:
    """The run's workspace disk, wherever it stands, with the move that it is in."""
    disks = workspace_disks(clients, names)
    if not disks:
        return None
    here = place_of(disks[0])
    towards = next((place for one in move_snapshots(clients, names) if (place := destination_of(one))), None)
    return Workspace(
        name=str(disks[0]["name"]),
        place=here,
        gib=int(seen.value_at(disks[0], "properties.diskSizeGB") or 0),
        moving_to=towards if towards != here else None,
    )


def place_of(resource: Mapping[str, Any]) -> Place:
    """Where a disk or a machine stands."""
    zones = resource.get("zones") or []
    return Place(str(resource["location"]).lower(), str(zones[0]) if zones else None)


def destination_tag(place: Place) -> str:
    """The value of `MOVE_TAG` for a move to a place."""
    return f"{place.region}/{place.zone or ''}"


def destination_of(snapshot: Mapping[str, Any]) -> Place | None:
    """Where the move goes that made a snapshot; None where its tag was taken away."""
    region, slash, zone = str((snapshot.get("tags") or {}).get(MOVE_TAG) or "").partition("/")
    return Place(region.lower(), zone or None) if slash else None


def no_disk(names: Names) -> RequestRefusedError:
    """The error for a run whose disk is not there."""
    return RequestRefusedError(
        f"the workspace disk with all that the run had on it is not there any more: {names.workspace_disk}",
        hint=f"see what is left with: llamalift sweep; end the run with: llamalift down --discard {names.run_id}",
    )


def _listed(lists: Callable[[], Iterable[Mapping[str, Any]]], doing: str) -> Sequence[str]:
    from azure.core.exceptions import ResourceNotFoundError

    with translated(doing):
        try:
            return [str(one["name"]) for one in lists()]
        except ResourceNotFoundError:
            return []
