"""Gives a run another end: the tag that says when it expires, and Azure's auto-shutdown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from provisioning.azure.errors import translated
from provisioning.azure.inventory import Inventory
from provisioning.azure.naming import API_VERSIONS, namespace_of
from provisioning.azure.operations import Operations
from provisioning.azure.provision import foreign_group
from provisioning.azure.shutdown_schedule import schedule_body
from provisioning.errors import ProvisioningError
from provisioning.types import DeletionProof, ResourceKind, ResourceRef

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.azure.clients import Clients
    from provisioning.azure.naming import Names
    from provisioning.types import Ledger, Progress, Renewal

_SCHEDULE_SECONDS = 180.0


def renew(clients: Clients, names: Names, renewal: Renewal, ledger: Ledger, progress: Progress) -> None:
    """Set the group's tags and make the schedule as `renewal` says; a schedule that is refused is done without.

    Raises:
        ProvisioningError: The tags cannot be set; RequestRefusedError when the group is not the run's.
    """
    inventory = Inventory(clients, names)
    group = inventory.group()
    if group is None:
        return
    if not inventory.is_ours(group):
        raise foreign_group(names)
    tags = {**(group.get("tags") or {}), **renewal.tags}
    if tags != group.get("tags"):
        with translated(f"tag the resource group {names.group}"):
            clients.resources.resource_groups.update(names.group, {"tags": tags})
    _Schedule(clients, names, ledger, progress).make(renewal, tags)


class _Schedule:
    """The run's auto-shutdown."""

    def __init__(self, clients: Clients, names: Names, ledger: Ledger, progress: Progress) -> None:
        self._clients, self._names, self._ledger, self._progress = clients, names, ledger, progress
        self._operations, self._inventory = Operations(clients), Inventory(clients, names)
        kind = ResourceKind.SHUTDOWN_SCHEDULE
        self._version = API_VERSIONS[kind]
        self._ref = ResourceRef(kind, names.shutdown_schedule, names.id_of(kind, names.shutdown_schedule))

    def make(self, renewal: Renewal, tags: Mapping[str, str]) -> None:
        try:
            if renewal.shutdown_at is None:
                self._remove()
            else:
                self._put(schedule_body(self._names, renewal.region, tags, renewal.shutdown_at))
        except ProvisioningError as error:
            self._progress(f"going on without the {self._ref.kind}: {error.fact}")

    def _put(self, body: dict[str, Any]) -> None:
        by_id = self._clients.resources.resources
        self._ledger.intend_create(self._ref)
        self._run(
            "create",
            lambda wait: wait(
                by_id.begin_create_or_update_by_id(self._ref.resource_id, body, api_version=self._version)
            ),
        )
        self._ledger.created(self._ref)

    def _remove(self) -> None:
        """A daily schedule whose day has come too early would end the run before its deadline."""
        if not self._inventory.exists(self._ref):
            return
        by_id = self._clients.resources.resources
        self._ledger.intend_delete(self._ref)
        self._run(
            "delete",
            lambda wait: wait(by_id.begin_delete_by_id(self._ref.resource_id, api_version=self._version)),
        )
        self._ledger.gone(DeletionProof(self._ref, datetime.now(UTC)))

    def _run(self, verb: str, call: Any) -> None:  # noqa: ANN401  (what `Operations.run` takes)
        doing = f"{verb} the {self._ref.kind} {self._ref.name}"
        self._operations.run(doing, namespace_of(self._ref.resource_id), call, limit_seconds=_SCHEDULE_SECONDS)
