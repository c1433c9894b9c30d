"""Makes room for another try elsewhere: what of a run cannot follow its machine is deleted, and proven gone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from provisioning.azure import observed as seen
from provisioning.azure.inventory import Inventory, or_none
from provisioning.azure.naming import API_VERSIONS, namespace_of, ref_of
from provisioning.azure.operations import Operations
from provisioning.azure.provision import foreign_group
from provisioning.azure.workspaces import destination_of, move_snapshots, workspace_disks
from provisioning.types import DeletionProof, Place, ResourceKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from provisioning.azure.clients import Clients
    from provisioning.azure.naming import Names
    from provisioning.azure.operations import Wait
    from provisioning.types import Ledger, Placement, Progress, ResourceRef


class Vacating:
    """One `vacate` call. It goes by what stands in the cloud, so it finishes what a killed client began."""

    def __init__(
        self,
        clients: Clients,
        names: Names,
        keep: Placement | None,
        ledger: Ledger,
        progress: Progress,
        *,
        nodes: int = 1,
    ) -> None:
        self._clients = clients
        self._nodes = nodes
        self._names = names
        self._keep = keep
        self._kept_disk = ""
        self._ledger = ledger
        self._progress = progress
        self._inventory = Inventory(clients, names)
        self._operations = Operations(clients)

    def run(self, *, keep_disk: bool = False) -> None:
        """Do it, dependents first; the group itself stays, wherever Azure keeps its record.

        Args:
            keep_disk: The workspace disk holds something: it stays wherever it is, and nothing else serves instead.

        Raises:
            ProvisioningError: Something cannot be looked at or deleted; the next call goes on from there.
            RequestRefusedError: The group is not this run's; nothing was touched.
        """
        group = self._inventory.group()
        if group is None:
            return
        if not self._inventory.is_ours(group):
            raise foreign_group(self._names)
        disks = workspace_disks(self._clients, self._names) if keep_disk else []
        self._kept_disk = str(disks[0]["id"]).lower() if disks else ""
        machine = self._look_at_machine()
        keeps_machine = machine is not None and not self._is_stale(self._machine, machine)
        if machine is not None and not keeps_machine:
            self._delete_assignment(str(seen.value_at(machine, "identity.principalId") or ""))
            self._delete_machine()
        if not keeps_machine:
            # Azure makes it with the machine; one of the same name would stand in the next one's way.
            self._delete_if(self._ref(ResourceKind.DISK, self._names.os_disk), anyhow=True)
        self._vacate_network()
        if keep_disk:
            self._take_back_copies(disks[1:])
        else:
            self._delete_if(self._ref(ResourceKind.DISK, self._names.workspace_disk))
        if self._names.node:
            return
        # What all machines share.
        if self._nodes > 1:
            self._delete_if(self._ref(ResourceKind.AVAILABILITY_SET, self._names.availability_set))
        self._delete_if(self._ref(ResourceKind.VIRTUAL_NETWORK, self._names.virtual_network))
        self._delete_if(self._ref(ResourceKind.NETWORK_SECURITY_GROUP, self._names.security_group))

    def _take_back_copies(self, disks: Iterable[Mapping[str, Any]]) -> None:
        """What is made of the disk on its way elsewhere, and what a machine had instead of it."""
        self._delete_if(self._ref(ResourceKind.DISK, self._names.placeholder_disk), anyhow=True)
        snapshots = move_snapshots(self._clients, self._names)
        keep = None if self._keep is None else Place(self._keep.region.lower(), self._keep.zone)
        if snapshots and all(destination_of(one) == keep for one in snapshots):
            return
        for copy in (*disks, *snapshots):
            self._delete_if(ref_of(str(copy["id"])), anyhow=True)

    def _vacate_network(self) -> None:
        """The interface is in a region only, but holds the address, which may be in a zone."""
        self._delete_if(self._ref(ResourceKind.SHUTDOWN_SCHEDULE, self._names.shutdown_schedule))
        address = self._look(self._address)
        stale = address is not None and self._is_stale(self._address, address)
        self._delete_if(self._interface, anyhow=stale)
        self._delete_if(self._address)

    def _delete_assignment(self, principal_id: str) -> None:
        """The next machine has another identity; whether this one's was made before its creation failed is unknown."""
        if not principal_id:
            return
        ref = self._ref(ResourceKind.ROLE_ASSIGNMENT, self._names.role_assignment(principal_id))
        self._delete_if(ref, anyhow=True)
        self._ledger.gone(DeletionProof(ref, datetime.now(UTC)))

    def _delete_machine(self) -> None:
        """With its own disk, interface and address, which Azure deletes along with it."""
        along = [self._interface, self._address, self._ref(ResourceKind.DISK, self._names.os_disk)]
        along = [ref for ref in along if self._look(ref) is not None]
        for ref in along:
            self._ledger.intend_delete(ref)
        machines = self._clients.compute.virtual_machines
        # A machine without a future needs no shutdown: forced.
        self._delete(
            self._machine,
            lambda wait: wait(machines.begin_delete(self._names.group, self._names.machine, force_deletion=True)),
        )
        for ref in along:
            if self._look(ref) is None:
                self._ledger.gone(DeletionProof(ref, datetime.now(UTC)))

    def _delete_if(self, ref: ResourceRef, *, anyhow: bool = False) -> None:
        found = self._look(ref)
        if found is None or not (anyhow or self._is_stale(ref, found)):
            return
        by_id = self._clients.resources.resources
        self._delete(
            ref, lambda wait: wait(by_id.begin_delete_by_id(ref.resource_id, api_version=API_VERSIONS[ref.kind]))
        )

    def _delete(self, ref: ResourceRef, delete: Callable[[Wait], object]) -> None:
        """An interface stays reserved for 180 s after its machine failed: `Operations` outwaits that."""
        self._progress(f"making room: deleting the {ref.kind} {ref.name}")
        self._ledger.intend_delete(ref)
        self._operations.run(f"delete the {ref.kind} {ref.name}", namespace_of(ref.resource_id), delete)
        self._operations.look_until(
            f"see the {ref.kind} {ref.name} go",
            lambda: self._look(ref),
            lambda found: found is None,
            lambda found: seen.provisioning_state(found or {}),
        )
        self._ledger.gone(DeletionProof(ref, datetime.now(UTC)))

    def _is_stale(self, ref: ResourceRef, found: Mapping[str, Any]) -> bool:
        """Whether it could not serve a machine at the place that is kept."""
        keep = self._keep
        if keep is None or str(found.get("location", "")).lower() != keep.region.lower():
            return True
        zones = [str(zone) for zone in found.get("zones") or []]
        match ref.kind:
            case ResourceKind.VIRTUAL_MACHINE:
                size = str(seen.value_at(found, "properties.hardwareProfile.vmSize"))
                same = (zones, size.lower()) == (_zones_of(keep), keep.size.lower())
                return not same or seen.is_beyond_repair(found) or not self._has_kept_disk(found)
            case ResourceKind.DISK:
                return zones != _zones_of(keep)
            case ResourceKind.PUBLIC_IP:
                # One without a zone spans all of them, and Azure may list them.
                return len(zones) == 1 and zones != _zones_of(keep)
        return False

    def _has_kept_disk(self, machine: Mapping[str, Any]) -> bool:
        disks = seen.value_at(machine, "properties.storageProfile.dataDisks") or []
        ids = {str(seen.value_at(disk, "managedDisk.id")).lower() for disk in disks}
        return not self._kept_disk or self._kept_disk in ids

    def _look(self, ref: ResourceRef) -> Mapping[str, Any] | None:
        by_id, version = self._clients.resources.resources, API_VERSIONS[ref.kind]
        return or_none(lambda: by_id.get_by_id(ref.resource_id, api_version=version), f"look at {ref.name}")

    def _look_at_machine(self) -> Mapping[str, Any] | None:
        machines, names = self._clients.compute.virtual_machines, self._names
        return or_none(
            lambda: machines.get(names.group, names.machine, expand="instanceView"), f"look at {names.machine}"
        )

    @property
    def _machine(self) -> ResourceRef:
        return self._ref(ResourceKind.VIRTUAL_MACHINE, self._names.machine)

    @property
    def _interface(self) -> ResourceRef:
        return self._ref(ResourceKind.NETWORK_INTERFACE, self._names.network_interface)

    @property
    def _address(self) -> ResourceRef:
        return self._ref(ResourceKind.PUBLIC_IP, self._names.public_ip)

    def _ref(self, kind: ResourceKind, name: str) -> ResourceRef:
        return ref_of(self._names.id_of(kind, name))


def _zones_of(placement: Placement) -> list[str]:
    return [placement.zone] if placement.zone else []
