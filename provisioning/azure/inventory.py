"""What exists for a run, by its group and by its tag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioning.azure.errors import translated
from provisioning.azure.naming import API_VERSIONS, RUN_TAG, TYPES, Names, namespace_of, ref_of
from provisioning.errors import RightsError
from provisioning.types import ResourceKind, ResourceRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from provisioning.azure.clients import Clients


def or_none(read: Callable[[], Mapping[str, Any]], doing: str) -> Mapping[str, Any] | None:
    """What `read` returns, or None when the cloud says 404.

    Raises:
        ProvisioningError: Anything else went wrong.
    """
    from azure.core.exceptions import ResourceNotFoundError

    with translated(doing):
        try:
            return read()
        except ResourceNotFoundError:
            return None


class Inventory:
    """Looks at one run's resources; changes nothing."""

    def __init__(self, clients: Clients, names: Names) -> None:
        self._clients = clients
        self._names = names

    def group(self) -> Mapping[str, Any] | None:
        """The run's group, or None."""
        groups = self._clients.resources.resource_groups
        return or_none(lambda: groups.get(self._names.group), f"look at the resource group {self._names.group}")

    def is_ours(self, group: Mapping[str, Any]) -> bool:
        """Whether the group carries this run's tag. A group of that name without it is someone else's."""
        tags = group.get("tags") or {}
        return bool(tags.get(RUN_TAG) == self._names.run_id)

    def in_group(self) -> list[ResourceRef]:
        """Everything in the group, without the group; empty when there is no group."""
        from azure.core.exceptions import ResourceNotFoundError

        with translated(f"list the resource group {self._names.group}"):
            try:
                listing = self._clients.resources.resources.list_by_resource_group(self._names.group)
                return [ref_of(item["id"]) for item in listing]
            except ResourceNotFoundError:
                return []

    def by_tag(self) -> list[ResourceRef]:
        """Everything in the subscription that carries the run's tag."""
        wanted = f"tagName eq '{RUN_TAG}' and tagValue eq '{self._names.run_id}'"
        with translated(f"list what is tagged {RUN_TAG}={self._names.run_id}"):
            return [ref_of(item["id"]) for item in self._clients.resources.resources.list(filter=wanted)]

    def contents(self) -> list[ResourceRef]:
        """Everything in the group and what no list of it shows: role assignments; empty when there is no group."""
        return unique([*self.in_group(), *self._assignments()])

    def is_inside(self, ref: ResourceRef) -> bool:
        """Whether `ref` is the run's group or lies in it."""
        return f"{ref.resource_id}/".lower().startswith(f"{self._names.group_id}/".lower())

    def carries_our_tag(self, ref: ResourceRef) -> bool:
        """Whether `ref` exists and carries this run's tag itself."""
        found = self.read(ref)
        return found is not None and self.is_ours(found)

    def everything(self) -> list[ResourceRef]:
        """The group, what is in it, and what is tagged elsewhere; each once, confirmed by reading it.

        Azure's listings lag behind deletions, so a listed resource counts only when a read finds it.
        """
        group = self.group()
        ours = group is not None and self.is_ours(group)
        listed = [*(self.in_group() if ours else []), *self.by_tag()]
        found = [ref for ref in unique(listed) if self.exists(ref)]
        return [*([ref_of(self._names.group_id)] if ours else []), *found]

    def exists(self, ref: ResourceRef) -> bool:
        """Whether a read finds it; False only on a 404."""
        return self.read(ref) is not None

    def read(self, ref: ResourceRef) -> Mapping[str, Any] | None:
        """The resource as it is; None only on a 404."""
        by_id = self._clients.resources.resources
        version = self.api_version(ref)
        return or_none(lambda: by_id.get_by_id(ref.resource_id, api_version=version), f"look at {ref.name}")

    def _assignments(self) -> list[ResourceRef]:
        """The role assignments on the group; those that it has from above are not the run's."""
        where = f"{self._names.group_id}/providers/{TYPES[ResourceKind.ROLE_ASSIGNMENT]}"
        version = API_VERSIONS[ResourceKind.ROLE_ASSIGNMENT]
        try:
            listing = or_none(
                lambda: self._clients.resources.resources.get_by_id(where, api_version=version),
                f"list the role assignments of {self._names.group}",
            )
        except RightsError:
            # They go with the group all the same.
            return []
        found = [ref_of(str(item["id"])) for item in (listing or {}).get("value", [])]
        return [ref for ref in found if self.is_inside(ref)]

    def api_version(self, ref: ResourceRef) -> str:
        """The api-version by which `ref` is read and deleted."""
        if ref.kind is not ResourceKind.OTHER:
            return API_VERSIONS[ref.kind]
        namespace = namespace_of(ref.resource_id)
        wanted = "/".join(ref.resource_id.rpartition("/providers/")[2].split("/")[1::2]).lower()
        with translated(f"look up how to read a {namespace}/{wanted}"):
            kinds = self._clients.resources.providers.get(namespace).resource_types or []
        # Newest first is Azure's own order.
        return next(
            (kind.api_versions[0] for kind in kinds if _is(kind.resource_type, wanted) and kind.api_versions), ""
        )


def unique(refs: Iterable[ResourceRef]) -> list[ResourceRef]:
    """Each id once (Azure does not agree with itself on case), in order."""
    return list({ref.resource_id.lower(): ref for ref in refs}.values())


def _is(resource_type: str | None, wanted: str) -> bool:
    return (resource_type or "").lower() == wanted
