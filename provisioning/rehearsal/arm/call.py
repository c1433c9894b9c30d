"""One authenticated call, with everything that answering it may need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError, group_being_deleted, group_not_found, stale_etag
from provisioning.rehearsal.arm.ids import ResourceId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.rehearsal.arm.faults import Fault
    from provisioning.rehearsal.arm.http import Request
    from provisioning.rehearsal.arm.store import Resource
    from provisioning.rehearsal.arm.world import World


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated call.

    Attributes:
        world: The cloud.
        request: What came over the wire.
        params: Varying parts of the path.
        principal: Object id of the caller.
        fault: The scripted fault that strikes this call; operations that it starts inherit it.
    """

    world: World
    request: Request
    params: Mapping[str, str]
    principal: str
    fault: Fault | None

    @property
    def api_version(self) -> str:
        """The api-version asked for."""
        return self.request.query["api-version"]

    @property
    def subscription(self) -> str:
        """The subscription's id."""
        return self.world.account.subscription_id

    def resource_id(self, resource_type: str, name: str) -> ResourceId:
        """The id of `name` in the call's resource group, spelt as the group was created.

        Raises:
            ArmError: 404 when there is no such group.
        """
        return ResourceId(self.subscription, self.group().name, resource_type, name)

    def group(self) -> Resource:
        """The call's resource group.

        Raises:
            ArmError: 404 when there is none.
        """
        found = self.world.group(self.params["group"])
        if found is None:
            raise group_not_found(self.params["group"])
        return found

    def living_group(self) -> Resource:
        """The call's resource group, into which something is to be put.

        Raises:
            ArmError: 404 when there is none, 409 while it is being deleted.
        """
        found = self.group()
        if found.state == "Deleting":
            raise group_being_deleted(found.name)
        return found

    def check_if_match(self, current_etag: str | None) -> None:
        """Honour If-Match and If-None-Match.

        Raises:
            ArmError: 412 PreconditionFailed.
        """
        wanted = self.request.headers.get("if-match", "*")
        if wanted not in {"*", current_etag}:
            raise stale_etag(wanted, current_etag, self.request.path)
        if self.request.headers.get("if-none-match") == "*" and current_etag is not None:
            raise ArmError(
                412, "PreconditionFailed", "The resource already exists and the request asks that it does not."
            )
