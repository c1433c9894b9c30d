"""One `provision` call: what is there and fits stays, what is missing is made, the machine runs in the end."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from provisioning.azure import observed as seen
from provisioning.azure.builder import Builder
from provisioning.azure.extras import extras_of
from provisioning.azure.graph import Task, run_all
from provisioning.azure.inventory import Inventory
from provisioning.azure.naming import Names
from provisioning.azure.operations import AbandonedWaitError, Operations
from provisioning.azure.stack import Stack
from provisioning.azure.workspaces import no_disk, workspace_disks
from provisioning.errors import ProvisioningError, RequestRefusedError, RightsError, TransientError
from provisioning.types import DeletionProof, PowerState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.azure.clients import Clients
    from provisioning.azure.resource import OwnedResource
    from provisioning.types import Ledger, MachineRequest, Progress, ResourceKind

_EXTRA_SECONDS = 180.0
# So long a machine boots anyway.
_EARLY_EXTRA_SECONDS = 60.0
_STEADY = frozenset({PowerState.RUNNING, PowerState.STOPPED, PowerState.DEALLOCATED, PowerState.FAILED})


@dataclass(frozen=True, slots=True)
class Provisioned:
    """A machine, its public address and its interface, as Azure describes them."""

    machine: Mapping[str, Any]
    address: Mapping[str, Any]
    interface: Mapping[str, Any]


class Provisioning:
    """A fresh run reads once before it writes (is there such a group?), and once more for its machine's identity."""

    def __init__(
        self,
        clients: Clients,
        request: MachineRequest,
        ledger: Ledger,
        progress: Progress,
        *,
        names: Names | None = None,
    ) -> None:
        self._clients = clients
        self._request = request
        self._ledger = ledger
        self._progress = progress
        self._names = names or Names(clients.subscription_id, request.run_id)
        self._stack = Stack.of(request, self._names)
        self._inventory = Inventory(clients, self._names)
        self._stop = threading.Event()
        self._operations = Operations(clients, self._stop)
        self._builder = Builder(self._operations, ledger, progress)
        self._machine_accepted = threading.Event()
        self._decided_extras: set[ResourceKind] = set()

    def run(self) -> Provisioned:
        """Do it; returns what Azure says of the machine.

        Raises:
            ProvisioningError: What went wrong first. What was made stays, for the next call or for `destroy`.
        """
        self._clients.open_all()
        self._ensure_group()
        if self._request.keeps_disk:
            self._use_kept_disk()
        self._remove_broken_machine()
        run_all(self._tasks(), self._stop)
        self._ensure_running()
        self._try_extras(self._builder.made(self._stack.machine), last=True)
        stack, made = self._stack, self._builder.made
        return Provisioned(made(stack.machine), made(stack.public_ip), made(stack.interface))

    def _ensure_group(self) -> None:
        group = self._inventory.group()
        if group is None:
            self._builder.create(self._stack.group)
            return
        if not self._inventory.is_ours(group):
            raise foreign_group(self._names)
        if seen.provisioning_state(group) == seen.DELETING:
            raise TransientError(
                f"the run's resource group is being deleted: {self._names.group}",
                hint=f"wait until it is gone: llamalift down {self._names.run_id}",
            )
        self._builder.accept(self._stack.group, group)
        self._builder.know(self._inventory.in_group())

    def _use_kept_disk(self) -> None:
        """Take the disk that is there, under whatever name a move has left it; never an empty one instead."""
        disks = workspace_disks(self._clients, self._names)
        if not disks:
            raise no_disk(self._names)
        self._stack = Stack.of(self._request, replace(self._names, disk=str(disks[0]["name"])))
        self._builder.know([*self._inventory.in_group(), self._stack.disk.ref])

    def _tasks(self) -> list[Task]:
        tasks = [
            Task(
                str(resource.kind),
                partial(self._builder.ensure, resource, on_accepted=partial(self._accepted, resource)),
                frozenset(map(str, needs)),
            )
            for resource, needs in self._stack.in_order()
        ]
        return [*tasks, Task("extras", self._extras_meanwhile)]

    def _accepted(self, resource: OwnedResource) -> None:
        if resource is self._stack.machine:
            self._machine_accepted.set()

    def _remove_broken_machine(self) -> None:
        """A machine whose creation failed still exists, and holds its disk and interface."""
        machine = self._stack.machine
        found = self._builder.settled(machine)
        if found is None or not seen.is_beyond_repair(found):
            return
        self._progress(f"deleting the {machine.kind} {machine.name}, whose creation failed")
        self._ledger.intend_delete(machine.ref)
        self._builder.call("delete", machine, machine.destroy)
        if not self._inventory.exists(machine.ref):
            self._ledger.gone(DeletionProof(machine.ref, datetime.now(UTC)))
        # Its interface and address went with it.
        self._builder.know(self._inventory.in_group())

    def _ensure_running(self) -> None:
        """Start a machine of ours that was deallocated (an eviction) or stopped."""
        machine = self._stack.machine
        if not self._builder.is_known(machine):
            return
        self._look_until_steady()
        if seen.power_of(self._builder.made(machine)) is not PowerState.RUNNING:
            self._progress(f"starting the {machine.kind} {machine.name} again")
            self._builder.call("start", machine, machine.start)
            self._look_until_steady()

    def _look_until_steady(self) -> None:
        machine = self._stack.machine
        if seen.power_of(self._builder.made(machine)) is PowerState.RUNNING:
            return
        found = self._builder.look_until(machine, lambda found: seen.power_of(found) in _STEADY)
        if found is None:
            raise TransientError(
                f"the machine went away while it was waited for: {machine.name}",
                hint=f"make a new one with the same disk: llamalift resume {self._names.run_id}",
            )
        self._builder.accept(machine, found)

    def _extras_meanwhile(self) -> None:
        """Beside the machine's boot, which takes longer. What Azure refuses so early is asked for again after it."""
        self._operations.wait_for(self._machine_accepted)
        machine = self._builder.look_until(self._stack.machine, lambda _found: True)
        if machine is not None:
            self._try_extras(machine, last=False)

    def _try_extras(self, machine: Mapping[str, Any], *, last: bool) -> None:
        """What makes the machine able to end itself. The run goes on without."""
        principal = str(seen.value_at(machine, "identity.principalId") or "")
        extras = [
            extra
            for extra in extras_of(self._request, self._names, principal)
            if extra.kind not in self._decided_extras
        ]
        run_all([Task(str(extra.kind), partial(self._try_extra, extra, last=last)) for extra in extras], self._stop)

    def _try_extra(self, extra: OwnedResource, *, last: bool) -> None:
        try:
            self._builder.ensure(extra, limit_seconds=_EXTRA_SECONDS if last else _EARLY_EXTRA_SECONDS)
        except AbandonedWaitError:
            raise
        except ProvisioningError as error:
            if not last and not isinstance(error, RightsError):
                return
            self._progress(f"going on without the {extra.kind} ({extra.detail}): {error.fact}")
        self._decided_extras.add(extra.kind)


def foreign_group(names: Names) -> RequestRefusedError:
    """The error for a group of our name that is not ours."""
    return RequestRefusedError(
        f"a resource group of this run's name exists but is not this run's, it is left alone: {names.group}",
        hint="change name in the run file, then start it with: llamalift up RUN.yaml",
    )
