"""Brings a run's resources to what is asked for: what is there and fits stays, what is missing is made."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from provisioning.azure import observed as seen
from provisioning.azure.activity import Activity
from provisioning.azure.extras import extras_of
from provisioning.azure.graph import Task, run_all
from provisioning.azure.inventory import Inventory, or_none
from provisioning.azure.naming import Names, namespace_of
from provisioning.azure.operations import Operations
from provisioning.azure.stack import Stack
from provisioning.errors import ProvisioningError, RequestRefusedError, TransientError
from provisioning.types import DeletionProof, PowerState, ResourceKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.azure.clients import Clients
    from provisioning.azure.resource import OwnedResource
    from provisioning.types import Ledger, MachineRequest, Progress

_EXTRA_SECONDS = 180.0


class Provisioning:
    """One `provision` call. A fresh run costs one read (is there such a group?) and then only writes."""

    def __init__(self, clients: Clients, request: MachineRequest, ledger: Ledger, progress: Progress) -> None:
        self._clients = clients
        self._request = request
        self._ledger = ledger
        self._progress = progress
        self._names = Names(clients.subscription_id, request.run_id)
        self._stack = Stack.of(request, self._names)
        self._inventory = Inventory(clients, self._names)
        self._stop = threading.Event()
        self._operations = Operations(clients, self._stop)
        self._activity = Activity("creating", progress)
        self._existing: frozenset[str] = frozenset()
        self._made: dict[ResourceKind, Mapping[str, Any]] = {}

    def run(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Do it; returns the machine and its public address as Azure describes them.

        Raises:
            ProvisioningError: What went wrong first. What was made stays, for the next call or for `destroy`.
        """
        self._clients.open_all()
        self._ensure_group()
        self._remove_broken_machine()
        run_all(self._tasks(), self._stop)
        self._ensure_running()
        self._try_extras()
        return self._made[ResourceKind.VIRTUAL_MACHINE], self._made[ResourceKind.PUBLIC_IP]

    def _ensure_group(self) -> None:
        group = self._inventory.group()
        if group is None:
            self._create(self._stack.group)
            return
        if not self._inventory.is_ours(group):
            raise foreign_group(self._names)
        if seen.provisioning_state(group) == seen.DELETING:
            raise TransientError(
                f"the run's resource group is being deleted: {self._names.group}",
                hint=f"wait until it is gone: llamalift down {self._names.run_id}",
            )
        self._accept(self._stack.group, group)
        self._relist()

    def _relist(self) -> None:
        self._existing = frozenset(ref.resource_id.lower() for ref in self._inventory.in_group())

    def _tasks(self) -> list[Task]:
        return [
            Task(str(resource.kind), partial(self._ensure, resource), frozenset(map(str, needs)))
            for resource, needs in self._stack.in_order()
        ]

    def _ensure(self, resource: OwnedResource) -> None:
        found = self._settled(resource)
        if found is None or _needs_creating(resource, found):
            self._create(resource)
        else:
            self._accept(resource, found)

    def _settled(self, resource: OwnedResource) -> Mapping[str, Any] | None:
        """The resource when nothing is being done to it any more (an earlier client may have been killed meanwhile)."""
        if resource.resource_id.lower() not in self._existing:
            return None
        while True:
            found = or_none(lambda: resource.read(self._clients), f"look at the {resource.kind} {resource.name}")
            if found is None or seen.is_settled(found):
                return found
            self._progress(f"waiting for the {resource.kind} {resource.name}: {seen.provisioning_state(found)}")
            self._operations.pause(self._clients.endpoint.poll_seconds)

    def _accept(self, resource: OwnedResource, found: Mapping[str, Any]) -> None:
        wanted = resource.body()
        for path in resource.fixed:
            asked, there = seen.value_at(wanted, path), seen.value_at(found, path)
            if (asked or there) and seen.first_difference(asked, there) is not None:
                raise RequestRefusedError(
                    f"the {resource.kind} {resource.name} exists with a {path} other than {asked}: {there}",
                    hint=f"keep the run file as it was, or delete the run with: llamalift down {self._names.run_id}",
                )
        self._made[resource.kind] = found
        self._ledger.created(resource.ref)

    def _create(self, resource: OwnedResource) -> None:
        self._ledger.intend_create(resource.ref)
        with self._activity.on(str(resource.kind)):
            self._made[resource.kind] = self._operations.run(
                f"create the {resource.kind} {resource.name}",
                namespace_of(resource.resource_id),
                lambda wait: resource.create(self._clients, wait),
            )
        self._ledger.created(resource.ref)

    def _remove_broken_machine(self) -> None:
        """A machine whose creation failed still exists, and holds its disk and interface."""
        machine = self._stack.machine
        found = self._settled(machine)
        if found is None or not seen.is_beyond_repair(found):
            return
        self._progress(f"deleting the {machine.kind} {machine.name}, whose creation failed")
        self._ledger.intend_delete(machine.ref)
        self._operations.run(
            f"delete the failed {machine.kind} {machine.name}",
            namespace_of(machine.resource_id),
            lambda wait: machine.destroy(self._clients, wait),
        )
        self._ledger.gone(DeletionProof(machine.ref, datetime.now(UTC)))
        # Its interface and address went with it.
        self._relist()

    def _ensure_running(self) -> None:
        """Start a machine of ours that was deallocated (an eviction) or stopped."""
        machine = self._stack.machine
        if machine.resource_id.lower() not in self._existing:
            return
        power = seen.power_of(self._made[machine.kind])
        while power in {PowerState.DEALLOCATING, PowerState.STOPPING, PowerState.STARTING}:
            self._progress(f"waiting for the {machine.kind} {machine.name}: {power}")
            self._operations.pause(self._clients.endpoint.poll_seconds)
            power = self._reread_machine()
        if power is not PowerState.RUNNING:
            self._progress(f"starting the {machine.kind} {machine.name} again")
            self._operations.run(
                f"start the {machine.kind} {machine.name}",
                namespace_of(machine.resource_id),
                lambda wait: machine.start(self._clients, wait),
            )
            self._reread_machine()

    def _reread_machine(self) -> PowerState:
        machine = self._stack.machine
        found = or_none(lambda: machine.read(self._clients), f"look at the {machine.kind} {machine.name}")
        if found is None:
            raise TransientError(
                f"the machine went away while it was waited for: {machine.name}",
                hint=f"make a new one with the same disk: llamalift resume {self._names.run_id}",
            )
        self._made[machine.kind] = found
        return seen.power_of(found)

    def _try_extras(self) -> None:
        """What makes the machine able to end itself. The run goes on without."""
        principal = seen.value_at(self._made[ResourceKind.VIRTUAL_MACHINE], "identity.principalId")
        extras = extras_of(self._request, self._names, str(principal or ""))
        run_all([Task(str(extra.kind), partial(self._try_extra, extra)) for extra in extras], self._stop)

    def _try_extra(self, extra: OwnedResource) -> None:
        if self._existing and self._inventory.exists(extra.ref):
            self._ledger.created(extra.ref)
            return
        self._ledger.intend_create(extra.ref)
        try:
            self._operations.run(
                f"create the {extra.kind}",
                namespace_of(extra.resource_id),
                lambda wait: extra.create(self._clients, wait),
                limit_seconds=_EXTRA_SECONDS,
            )
        except ProvisioningError as error:
            self._progress(f"going on without the {extra.kind} ({extra.detail}): {error.fact}")
        else:
            self._ledger.created(extra.ref)


def _needs_creating(resource: OwnedResource, found: Mapping[str, Any]) -> bool:
    """Whether what exists must be sent to Azure again: its creation failed, or it is out of date and can be renewed."""
    if resource.kind is ResourceKind.VIRTUAL_MACHINE:
        # A broken one was removed before; a running one is left alone even when Azure calls it failed.
        return False
    if seen.provisioning_state(found) != seen.SUCCEEDED:
        return True
    return resource.renewable and seen.first_difference(resource.body(), found) is not None


def foreign_group(names: Names) -> RequestRefusedError:
    """The error for a group of our name that is not ours."""
    return RequestRefusedError(
        f"a resource group of this run's name exists but is not this run's, it is left alone: {names.group}",
        hint="start the run under another name",
    )
