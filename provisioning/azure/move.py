"""Brings a run's workspace disk to another zone or region, by way of an incremental snapshot.

Snapshots are all that it takes: Azure copies them between regions itself, so no storage account has to be made, and no
blob. In this order, each step found done or done by whoever comes next:

    snapshot -> in another region: its copy, until it is whole -> new disk -> old disk gone -> snapshots gone

Until the new disk is whole, nothing but copies is ever deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from provisioning.azure import disk_copies as copies
from provisioning.azure import observed as seen
from provisioning.azure.inventory import Inventory, or_none
from provisioning.azure.naming import RUN_TAG, namespace_of, ref_of
from provisioning.azure.operations import Operations
from provisioning.azure.provision import foreign_group
from provisioning.azure.undo import delete_one
from provisioning.azure.workspaces import (
    MOVE_TAG,
    destination_of,
    destination_tag,
    move_snapshots,
    no_disk,
    place_of,
    workspace_disks,
)
from provisioning.errors import MoveFailedError, RequestRefusedError, TransientError
from provisioning.types import DeletionProof, Place, ResourceKind, Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from provisioning.azure.clients import Clients
    from provisioning.azure.naming import Names
    from provisioning.azure.operations import Wait
    from provisioning.types import Ledger, Progress, ResourceRef

# Nobody promises how fast a copy to another region is; a full terabyte at 12 MB/s.
_COPY_SECONDS = 24 * 3600.0
_DELETE_SECONDS = 600.0
_RELEASE_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a disk goes, and the tags that it has there."""

    place: Place
    tags: Mapping[str, str]


class Moving:
    """One `move_disk` call. It goes by what stands in the cloud, so it finishes what a killed client began."""

    def __init__(
        self, clients: Clients, names: Names, destination: Destination, ledger: Ledger, progress: Progress
    ) -> None:
        self._clients = clients
        self._names = names
        self._to = destination.place
        self._tags = {**destination.tags, RUN_TAG: names.run_id}
        self._ledger = ledger
        self._progress = progress
        self._inventory = Inventory(clients, names)
        self._operations = Operations(clients)

    def run(self) -> Workspace:
        """Do it.

        Raises:
            MoveFailedError: The copy failed; what it had made is deleted, the disk is where it was.
            RequestRefusedError: There is no such disk, or a machine holds it.
            ProvisioningError: What the cloud said; the next call goes on from there.
        """
        old, *others = self._disks()
        if place_of(old) == self._to:
            self._take_back(others)
            return self._described(old)
        try:
            new = self._bring(old, others)
        except MoveFailedError:
            self._take_back(workspace_disks(self._clients, self._names)[1:])
            raise
        self._delete(ref_of(str(old["id"])))
        self._take_back([])
        return self._described(new)

    def _take_back(self, disks: Iterable[Mapping[str, Any]]) -> None:
        """Delete copies: these disks, and every snapshot of a move."""
        for disk in disks:
            self._delete(ref_of(str(disk["id"])))
        for snapshot in move_snapshots(self._clients, self._names):
            self._delete(ref_of(str(snapshot["id"])))

    def _disks(self) -> list[Mapping[str, Any]]:
        group = self._inventory.group()
        if group is not None and not self._inventory.is_ours(group):
            raise foreign_group(self._names)
        disks = workspace_disks(self._clients, self._names) if group is not None else []
        if not disks:
            raise no_disk(self._names)
        self._await_release(disks[0])
        return disks

    def _await_release(self, disk: Mapping[str, Any]) -> None:
        """A disk may be said to be held for a moment by a machine that is gone.

        Raises:
            RequestRefusedError: The machine is there.
        """
        holder = str(disk.get("managedBy") or "")
        if not holder:
            return
        if self._inventory.exists(ref_of(holder)):
            raise RequestRefusedError(
                f"the workspace disk is in use and cannot be moved, by the machine: {holder.rpartition('/')[2]}",
                hint=f"the machine goes first, its disk stays; go on with: llamalift resume {self._names.run_id}",
            )
        name, disks = str(disk["name"]), self._clients.compute.disks
        self._look_until(
            ref_of(str(disk["id"])),
            lambda: or_none(lambda: disks.get(self._names.group, name), f"look at {name}"),
            lambda found: found is None or not found.get("managedBy"),
            limit_seconds=_RELEASE_SECONDS,
        )

    def _bring(self, old: Mapping[str, Any], others: list[Mapping[str, Any]]) -> Mapping[str, Any]:
        """The new disk, whole; what an earlier move left is used if it is of this disk as it is, and goes here."""
        name = str(old["name"])
        if not self._may_go_on(old):
            self._take_back(others)
        source = self._snapshot(self._names.snapshot_of(name), copies.snapshot_body(old, self._move_tags))
        if place_of(source).region != self._to.region:
            body = copies.copy_body(source, self._to.region, self._move_tags)
            source = self._snapshot(self._names.snapshot_copy_of(name), body)
        return self._disk(self._names.workspace_disk_of(self._names.generation_of(name) + 1), old, source)

    def _may_go_on(self, old: Mapping[str, Any]) -> bool:
        """Whether a move was begun to the same place, and the disk was not written on since."""
        known = move_snapshots(self._clients, self._names)
        first = next((one for one in known if copies.is_of(one, old)), None)
        if first is None or copies.is_older(first, old):
            return False
        return all(destination_of(one) == self._to for one in known)

    @property
    def _move_tags(self) -> dict[str, str]:
        return {**self._tags, MOVE_TAG: destination_tag(self._to)}

    def _snapshot(self, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        snapshots, group = self._clients.compute.snapshots, self._names.group
        return self._ensure(
            ref_of(self._names.id_of(ResourceKind.SNAPSHOT, name)),
            lambda: snapshots.get(group, name),
            lambda wait: copies.make_snapshot(self._clients, wait, group, name, body),
        )

    def _disk(self, name: str, old: Mapping[str, Any], source: Mapping[str, Any]) -> Mapping[str, Any]:
        disks, group = self._clients.compute.disks, self._names.group
        body = copies.disk_body(old, source, self._to, self._tags)
        new = self._ensure(
            ref_of(self._names.id_of(ResourceKind.DISK, name)),
            lambda: disks.get(group, name),
            lambda wait: copies.make_disk(self._clients, wait, group, name, body),
        )
        size = "properties.diskSizeGB"
        if not copies.is_of(new, source) or seen.value_at(new, size) != seen.value_at(old, size):
            raise MoveFailedError(
                f"the new disk is not what the old one is, the old one stays: {name}",
                hint=f"try again with: llamalift resume {self._names.run_id}",
            )
        return new

    def _ensure(
        self, ref: ResourceRef, read: Callable[[], Mapping[str, Any]], make: Callable[[Wait], None]
    ) -> Mapping[str, Any]:
        """Found or made, succeeded, and copied to its last byte."""
        looks = partial(or_none, read, f"look at the {ref.kind} {ref.name}")
        found = self._look_until(ref, looks, lambda one: one is None or seen.is_settled(one))
        if found is not None and seen.provisioning_state(found) != seen.SUCCEEDED:
            self._delete(ref)
            found = None
        if found is None:
            self._progress(f"making the {ref.kind} {ref.name}")
            self._ledger.intend_create(ref)
            self._operations.run(f"create the {ref.kind} {ref.name}", namespace_of(ref.resource_id), make)
        whole = self._look_until(ref, looks, lambda one: one is None or _is_over(one), limit_seconds=_COPY_SECONDS)
        if whole is None:
            raise TransientError(f"the {ref.kind} went away while it was made: {ref.name}")
        error = copies.copy_error_of(whole)
        if error is not None:
            raise MoveFailedError(
                f"the copy of the disk to {self._to.region} failed: {error[1]}",
                hint=f"the disk is where it was; go on with: llamalift resume {self._names.run_id}",
                code=error[0],
            )
        self._ledger.created(ref)
        return whole

    def _look_until(
        self,
        ref: ResourceRef,
        looks: Callable[[], Mapping[str, Any] | None],
        is_reached: Callable[[Mapping[str, Any] | None], bool],
        *,
        limit_seconds: float = 3600.0,
    ) -> Mapping[str, Any] | None:
        def describe(found: Mapping[str, Any] | None) -> str:
            percent = copies.percent_of(found or {})
            state = f"{percent:.0f} % copied" if percent < 100 else seen.provisioning_state(found or {})
            self._progress(f"waiting for the {ref.kind} {ref.name}: {state}")
            return state

        return self._operations.look_until(
            f"wait for the {ref.kind} {ref.name}", looks, is_reached, describe, limit_seconds=limit_seconds
        )

    def _delete(self, ref: ResourceRef) -> None:
        """With its intent before and its 404 after."""
        self._progress(f"deleting the {ref.kind} {ref.name}")
        self._ledger.intend_delete(ref)
        delete_one(self._operations, self._inventory, ref, limit_seconds=_DELETE_SECONDS)
        self._operations.look_until(
            f"see the {ref.kind} {ref.name} go",
            lambda: self._inventory.read(ref),
            lambda found: found is None,
            lambda found: seen.provisioning_state(found or {}),
            limit_seconds=_DELETE_SECONDS,
        )
        self._ledger.gone(DeletionProof(ref, datetime.now(UTC)))

    def _described(self, disk: Mapping[str, Any]) -> Workspace:
        return Workspace(str(disk["name"]), place_of(disk), int(seen.value_at(disk, "properties.diskSizeGB") or 0))


def _is_over(found: Mapping[str, Any]) -> bool:
    return seen.is_settled(found) and (copies.is_whole(found) or copies.copy_error_of(found) is not None)
