"""Deletes everything of a run and proves, resource by resource, that it is gone."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provisioning.azure.inventory import Inventory, unique
from provisioning.azure.naming import Names, ref_of
from provisioning.azure.operations import Operations
from provisioning.azure.provision import foreign_group
from provisioning.azure.undo import delete_one, in_reverse_order
from provisioning.errors import (
    LeftoversError,
    ProvisioningError,
    RequestRefusedError,
    RightsError,
    SignInError,
    SubscriptionError,
    ThrottledError,
)
from provisioning.types import DeletionProof, ResourceKind, ResourceRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provisioning.azure.clients import Clients
    from provisioning.types import Ledger, Progress

# Deleting a machine by force skips its shutdown; nothing on its own disk is worth one.
_FORCE_TYPES = "Microsoft.Compute/virtualMachines"
_PAUSE_POLLS = 12
# No waiting mends these.
_HOPELESS = (RightsError, SubscriptionError)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long each part of a deletion may take, in seconds.

    Attributes:
        group_seconds: The whole group at once; Azure takes five to ten minutes for a group with a machine.
        each_seconds: One resource alone. An interface of a failed machine is held back for 180 s.
        total_seconds: Everything together.
    """

    group_seconds: float = 15 * 60.0
    each_seconds: float = 10 * 60.0
    total_seconds: float = 60 * 60.0


PATIENCE = Patience()


class Destruction:
    """One `destroy` call.

    It goes by the whole group, because nothing else catches what the run never knew of. When that is refused, rolled
    back or too slow, every resource is deleted alone, whatever becomes of the others, and then the group again.
    """

    def __init__(
        self, clients: Clients, run_id: str, ledger: Ledger, progress: Progress, patience: Patience = PATIENCE
    ) -> None:
        self._clients = clients
        self._names = Names(clients.subscription_id, run_id)
        self._inventory = Inventory(clients, self._names)
        self._operations = Operations(clients)
        self._ledger = ledger
        self._progress = progress
        self._patience = patience
        self._deadline = time.monotonic() + patience.total_seconds
        self._targets: Sequence[ResourceRef] = ()
        self._proofs: dict[str, DeletionProof] = {}
        self._reasons: dict[str, ProvisioningError] = {}

    def run(self, refs: Sequence[ResourceRef]) -> list[DeletionProof]:
        """Do it.

        Args:
            refs: What is known of; everything found in the run's group is added. What of it lies in a group that is
                not the run's is deleted alone, and only if it carries the run's tag.

        Raises:
            LeftoversError: Something is still there; it says what, and why.
            RequestRefusedError: The group is not this run's, and neither is anything of `refs`; nothing was touched.
            SignInError: Nobody is signed in any more.
        """
        self._clients.open_all()
        group = self._inventory.group()
        is_own = group is not None and self._inventory.is_ours(group)
        is_foreign = group is not None and not is_own
        abroad = [ref for ref in refs if is_foreign or not self._inventory.is_inside(ref)]
        strays = [ref for ref in abroad if self._inventory.carries_our_tag(ref)]
        if is_foreign and not strays:
            raise foreign_group(self._names)
        home = [] if is_foreign else [ref for ref in refs if ref not in strays]
        if is_own or home or not refs:
            home = [ref_of(self._names.group_id), *home, *self._implied(home)]
        home += self._inventory.contents() if is_own else []
        targets = self._targets = unique([*strays, *home])
        for ref in targets if is_own else strays:
            self._ledger.intend_delete(ref)
        self._delete(targets, strays, is_own=is_own)
        self._prove(targets)
        self._sweep()
        return list(self._proofs.values())

    def _implied(self, refs: Sequence[ResourceRef]) -> list[ResourceRef]:
        """The machine's own disk: Azure makes it together with the machine, so nobody intended it."""
        machines = [ref for ref in refs if ref.kind is ResourceKind.VIRTUAL_MACHINE]
        numbers = {number for ref in machines if (number := self._names.node_of(ref.name)) is not None}
        names = [replace(self._names, node=number) for number in sorted(numbers)]
        return [ref_of(one.id_of(ResourceKind.DISK, one.os_disk)) for one in names]

    def _delete(self, targets: Sequence[ResourceRef], strays: Sequence[ResourceRef], *, is_own: bool) -> None:
        """Until the group is gone, and what lies elsewhere too; a blocked deletion works minutes later."""
        group_id = self._names.group_id.lower()
        forced, todo = False, list(strays)
        while is_own or todo:
            before = len(self._proofs)
            if is_own and self._try_group(forced=forced):
                is_own = False
            forced = True
            failure = self._reasons.get(group_id) if is_own else None
            # Asked to slow down, asking for each resource would only make it worse.
            if not isinstance(failure, ThrottledError):
                self._one_by_one(targets if is_own else todo)
            todo = [ref for ref in strays if ref.resource_id.lower() not in self._proofs]
            if is_own or todo:
                self._go_on(has_progress=len(self._proofs) > before)

    def _try_group(self, *, forced: bool) -> bool:
        """Ask for the whole group; True when it is gone."""
        name, group_id = self._names.group, self._names.group_id
        self._progress(f"deleting the resource group {name} with everything in it")
        groups = self._clients.resources.resource_groups
        try:
            self._operations.run(
                f"delete the resource group {name}",
                "Microsoft.Resources",
                lambda wait: wait(groups.begin_delete(name, force_deletion_types=_FORCE_TYPES if forced else None)),
                limit_seconds=self._left(self._patience.group_seconds),
            )
        except SignInError:
            raise
        except ProvisioningError as error:
            self._progress(f"the group as a whole does not go: {error.fact}")
            self._reasons[group_id.lower()] = error
        return self._inventory.group() is None

    def _one_by_one(self, refs: Iterable[ResourceRef]) -> None:
        """Try each on its own deadline, whatever became of the others."""
        for ref in in_reverse_order(refs):
            if ref.kind is ResourceKind.RESOURCE_GROUP or ref.resource_id.lower() in self._proofs:
                continue
            if self._is_proven_gone(ref):
                continue
            self._progress(f"deleting the {ref.kind} {ref.name} alone")
            try:
                limit_seconds = self._left(self._patience.each_seconds)
                delete_one(self._operations, self._inventory, ref, limit_seconds=limit_seconds)
                self._is_proven_gone(ref)
            except SignInError:
                raise
            except ProvisioningError as error:
                self._progress(f"it stays for now: {error.fact}")
                self._reasons[ref.resource_id.lower()] = error

    def _go_on(self, *, has_progress: bool) -> None:
        """Wait before the next round.

        Raises:
            LeftoversError: There is no sense in one, or no time.
        """
        if time.monotonic() > self._deadline:
            raise self._leftovers("the deadline is over")
        lasting = (*_HOPELESS, RequestRefusedError) if not has_progress else _HOPELESS
        if self._reasons and all(isinstance(error, lasting) for error in self._reasons.values()):
            raise self._leftovers("waiting does not help")
        self._operations.pause(self._clients.endpoint.poll_seconds * _PAUSE_POLLS)

    def _prove(self, refs: Sequence[ResourceRef]) -> None:
        """Read each until it answers 404; the group last, as it is the one that proves most."""
        left = [ref for ref in refs if ref.resource_id.lower() not in self._proofs]
        left.sort(key=lambda ref: ref.kind is ResourceKind.RESOURCE_GROUP)
        while left:
            self._progress(f"checking that {len(left)} resources are gone")
            left = [ref for ref in left if not self._is_proven_gone(ref)]
            if left and time.monotonic() > self._deadline:
                raise self._leftovers("the deadline is over")
            if left:
                self._operations.pause(self._clients.endpoint.poll_seconds)

    def _is_proven_gone(self, ref: ResourceRef) -> bool:
        if self._inventory.exists(ref):
            return False
        proof = DeletionProof(ref, datetime.now(UTC))
        self._ledger.gone(proof)
        self._proofs[ref.resource_id.lower()] = proof
        self._reasons.pop(ref.resource_id.lower(), None)
        return True

    def _sweep(self) -> None:
        """Nothing that carries the run's tag may exist anywhere in the subscription."""
        if self._inventory.everything():
            raise self._leftovers("found by the run's tag outside its resource group")

    def _left(self, limit_seconds: float) -> float:
        return max(1.0, min(limit_seconds, self._deadline - time.monotonic()))

    def _remaining(self) -> list[ResourceRef]:
        """As the cloud sees it; what has no proof yet, when it does not say."""
        try:
            return self._inventory.everything()
        except SignInError:
            raise
        except ProvisioningError:
            return [ref for ref in self._targets if ref.resource_id.lower() not in self._proofs]

    def _leftovers(self, reason: str) -> LeftoversError:
        remaining = self._remaining()
        names = ", ".join(f"{ref.kind} {ref.name}" for ref in remaining)
        whys = {ref.resource_id: self._reasons.get(ref.resource_id.lower()) for ref in remaining}
        told = [error for error in whys.values() if error is not None]
        lasting = next((error.hint for error in told if isinstance(error, _HOPELESS) and error.hint), "")
        again = f"try again with: llamalift down {self._names.run_id}"
        return LeftoversError(
            f"{len(remaining)} resources are still there ({reason}): {names}",
            remaining,
            reasons={resource_id: error.fact for resource_id, error in whys.items() if error is not None},
            hint=f"{lasting}; then {again}" if lasting else f"{again}; or see everything with: llamalift sweep",
        )
