"""Deletes everything of a run and proves, resource by resource, that it is gone."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provisioning.azure.inventory import Inventory, unique
from provisioning.azure.naming import Names, ref_of
from provisioning.azure.operations import Operations
from provisioning.azure.provision import foreign_group
from provisioning.errors import LeftoversError, ThrottledError, TransientError
from provisioning.types import DeletionProof, ResourceKind, ResourceRef

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioning.azure.clients import Clients
    from provisioning.types import Ledger, Progress

DESTROY_SECONDS = 60 * 60.0
_FIRST_TRY_SECONDS = 20 * 60.0
# Deleting a machine by force skips its shutdown; nothing on its own disk is worth one.
_FORCE_TYPES = "Microsoft.Compute/virtualMachines"
# A network interface of a failed machine blocks the group for 180 s.
_BLOCKED_PAUSE_POLLS = 12


class Destruction:
    """One `destroy` call. It goes by the whole group, because nothing else catches what the run never knew of."""

    def __init__(self, clients: Clients, run_id: str, ledger: Ledger, progress: Progress) -> None:
        self._clients = clients
        self._names = Names(clients.subscription_id, run_id)
        self._inventory = Inventory(clients, self._names)
        self._operations = Operations(clients)
        self._ledger = ledger
        self._progress = progress
        self._deadline = time.monotonic() + DESTROY_SECONDS
        self._proofs: list[DeletionProof] = []

    def run(self, refs: Sequence[ResourceRef]) -> list[DeletionProof]:
        """Do it.

        Args:
            refs: What the ledger knows of; everything found in the group is added.

        Raises:
            LeftoversError: Something is still there.
            RequestRefusedError: The group is not this run's; nothing was touched.
            RightsError: The account may not delete it, or it is locked.
        """
        group = self._inventory.group()
        if group is not None and not self._inventory.is_ours(group):
            raise foreign_group(self._names)
        everything = unique([ref_of(self._names.group_id), *refs, *self._inventory.in_group()])
        if group is not None:
            for ref in everything:
                self._ledger.intend_delete(ref)
            self._delete_group()
        self._prove(everything)
        self._sweep()
        return self._proofs

    def _delete_group(self) -> None:
        """Delete until the group is gone: a blocked deletion is rolled back by Azure, and works minutes later.

        What no waiting mends (rights, locks, sign-in) is raised as it is.
        """
        forced = False
        while True:
            try:
                self._delete_once(forced=forced)
            except (TransientError, ThrottledError) as error:
                if time.monotonic() > self._deadline:
                    raise self._leftovers(error.fact) from error
                self._progress(f"deletion is held up, trying again: {error.fact}")
            if self._inventory.group() is None:
                return
            forced = True
            self._operations.pause(self._clients.endpoint.poll_seconds * _BLOCKED_PAUSE_POLLS)

    def _delete_once(self, *, forced: bool) -> None:
        name = self._names.group
        self._progress(f"deleting the resource group {name} with everything in it")
        groups = self._clients.resources.resource_groups
        self._operations.run(
            f"delete the resource group {name}",
            "Microsoft.Resources",
            lambda wait: wait(groups.begin_delete(name, force_deletion_types=_FORCE_TYPES if forced else None)),
            limit_seconds=min(_FIRST_TRY_SECONDS, self._deadline - time.monotonic()),
        )

    def _prove(self, refs: Sequence[ResourceRef]) -> None:
        """Read each until it answers 404; the group last, as it is the one that proves most."""
        left = sorted(refs, key=lambda ref: ref.kind is ResourceKind.RESOURCE_GROUP)
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
        self._proofs.append(proof)
        return True

    def _sweep(self) -> None:
        """Nothing that carries the run's tag may exist anywhere in the subscription."""
        if self._inventory.everything():
            raise self._leftovers("found by the run's tag outside its resource group")

    def _leftovers(self, reason: str) -> LeftoversError:
        remaining = self._inventory.everything()
        names = ", ".join(f"{ref.kind} {ref.name}" for ref in remaining)
        return LeftoversError(
            f"{len(remaining)} resources are still there ({reason}): {names}",
            remaining,
            hint=f"try again with: llamalift down {self._names.run_id}; or look at them in the portal, group "
            f"{self._names.group}",
        )
