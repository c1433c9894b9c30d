"""Brings one resource at a time to what is asked for, and writes it into the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from provisioning.azure import observed as seen
from provisioning.azure.activity import Activity
from provisioning.azure.inventory import or_none
from provisioning.azure.naming import namespace_of
from provisioning.azure.operations import OPERATION_SECONDS
from provisioning.errors import RequestRefusedError
from provisioning.types import ResourceKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from azure.core.polling import LROPoller

    from provisioning.azure.clients import Clients
    from provisioning.azure.operations import Operations, Wait
    from provisioning.azure.resource import OwnedResource
    from provisioning.types import Ledger, Progress, ResourceRef


T = TypeVar("T")


class Builder:
    """Knows what exists already (from one listing) and what it made or found. Safe to use from several threads."""

    def __init__(self, operations: Operations, ledger: Ledger, progress: Progress) -> None:
        self._operations = operations
        self._clients = operations.clients
        self._ledger = ledger
        self._progress = progress
        self._activity = Activity("creating", progress)
        self._existing: frozenset[str] | None = None
        self._made: dict[ResourceKind, Mapping[str, Any]] = {}

    def know(self, existing: Iterable[ResourceRef]) -> None:
        """Remember what exists; whatever else is created without looking first. Without it, nothing exists."""
        self._existing = frozenset(ref.resource_id.lower() for ref in existing)

    def is_known(self, resource: OwnedResource) -> bool:
        """Whether it existed when the group was listed, or cannot be known from that."""
        if self._existing is None:
            return False
        return not resource.listed or resource.resource_id.lower() in self._existing

    def made(self, resource: OwnedResource) -> Mapping[str, Any]:
        """The resource as Azure described it last."""
        return self._made[resource.kind]

    def ensure(
        self,
        resource: OwnedResource,
        *,
        limit_seconds: float = OPERATION_SECONDS,
        on_accepted: Callable[[], None] = lambda: None,
    ) -> None:
        """Leave it as it is when it fits, create it otherwise.

        Args:
            resource: What is asked for.
            limit_seconds: Deadline for its creation.
            on_accepted: Called as soon as it exists, be it still in the making.

        Raises:
            RequestRefusedError: It exists with something that cannot be changed and is not as asked for.
        """
        found = self.settled(resource)
        if found is None or _needs_creating(resource, found):
            self.create(resource, limit_seconds=limit_seconds, on_accepted=on_accepted)
        else:
            self.accept(resource, found)
            on_accepted()

    def create(
        self,
        resource: OwnedResource,
        *,
        limit_seconds: float = OPERATION_SECONDS,
        on_accepted: Callable[[], None] = lambda: None,
    ) -> None:
        """Create it, with its intent in the ledger before and its outcome after."""

        def create(clients: Clients, wait: Wait) -> Mapping[str, Any]:
            def accepted(poller: LROPoller[T]) -> T:
                on_accepted()
                return wait(poller)

            return resource.create(clients, accepted)

        self._ledger.intend_create(resource.ref)
        with self._activity.on(str(resource.kind)):
            self._made[resource.kind] = self.call("create", resource, create, limit_seconds=limit_seconds)
        self._ledger.created(resource.ref)

    def accept(self, resource: OwnedResource, found: Mapping[str, Any]) -> None:
        """Take it as it is; `created` makes up for a client that was killed before it could write that down."""
        wanted = resource.body()
        for path in resource.fixed:
            asked, there = seen.value_at(wanted, path), seen.value_at(found, path)
            if (asked or there) and seen.first_difference(asked, there) is not None:
                raise RequestRefusedError(
                    f"the {resource.kind} {resource.name} exists with a {path} other than {asked}: {there}",
                    hint=f"keep the run file as it was, or delete the run with: llamalift down {resource.names.run_id}",
                )
        self._made[resource.kind] = found
        self._ledger.created(resource.ref)

    def settled(self, resource: OwnedResource) -> Mapping[str, Any] | None:
        """The resource once nothing is being done to it any more: an earlier client may have been killed meanwhile."""
        return self.look_until(resource, seen.is_settled) if self.is_known(resource) else None

    def look_until(
        self, resource: OwnedResource, is_reached: Callable[[Mapping[str, Any]], bool]
    ) -> Mapping[str, Any] | None:
        """Read it until `is_reached`, or until it is gone (None).

        Raises:
            TransientError: That takes longer than any operation should.
        """

        def look() -> Mapping[str, Any] | None:
            return or_none(lambda: resource.read(self._clients), f"look at the {resource.kind} {resource.name}")

        def describe(found: Mapping[str, Any] | None) -> str:
            state = seen.describe(found) if found else "gone"
            self._progress(f"waiting for the {resource.kind} {resource.name}: {state}")
            return state

        return self._operations.look_until(
            f"wait for the {resource.kind} {resource.name}",
            look,
            lambda found: found is None or is_reached(found),
            describe,
        )

    def call(
        self,
        verb: str,
        resource: OwnedResource,
        method: Callable[..., Any],
        *,
        limit_seconds: float = OPERATION_SECONDS,
    ) -> Any:  # noqa: ANN401  (whatever the method returns)
        """Carry one of the resource's own calls to its end."""

        def made(wait: Wait) -> Any:  # noqa: ANN401  (as above)
            return method(self._clients, wait)

        doing = f"{verb} the {resource.kind} {resource.name}"
        return self._operations.run(doing, namespace_of(resource.resource_id), made, limit_seconds=limit_seconds)


def _needs_creating(resource: OwnedResource, found: Mapping[str, Any]) -> bool:
    """Whether what exists must be sent to Azure again: its creation failed, or it is out of date and can be renewed."""
    if resource.kind is ResourceKind.VIRTUAL_MACHINE:
        # A broken one was removed before; a running one is left alone even when Azure calls it failed.
        return False
    if seen.provisioning_state(found) != seen.SUCCEEDED:
        return True
    return resource.renewable and seen.first_difference(resource.body(), found) is not None
