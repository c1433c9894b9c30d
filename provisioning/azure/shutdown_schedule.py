"""The backstop that needs no rights on the machine: Azure deallocates it at a time of day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from provisioning.azure.generic_resource import GenericResource
from provisioning.types import ResourceKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.azure.naming import Names


@dataclass(frozen=True, slots=True)
class ShutdownSchedule(GenericResource):
    """Daily; the only recurrence that Azure has for it.

    Attributes:
        at: When, in UTC; only the hour and the minute count.
    """

    at: datetime

    kind: ClassVar[ResourceKind] = ResourceKind.SHUTDOWN_SCHEDULE
    # A run that outlives the day is given a later time.
    renewable: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """Enforced by Azure."""
        return self.names.shutdown_schedule

    @property
    def detail(self) -> str:
        """When."""
        return f"Azure deallocates the machine at {self.at.astimezone(UTC):%H:%M} UTC"

    def body(self) -> dict[str, Any]:
        """When, and which machine."""
        return schedule_body(self.names, self.request.region, self.tags, self.at)


def schedule_body(names: Names, region: str, tags: Mapping[str, str], at: datetime) -> dict[str, Any]:
    """The schedule's body: daily at the hour and minute of `at`, for the run's machine."""
    return {
        "location": region,
        "tags": dict(tags),
        "properties": {
            "status": "Enabled",
            "taskType": "ComputeVmShutdownTask",
            "dailyRecurrence": {"time": f"{at.astimezone(UTC):%H%M}"},
            "timeZoneId": "UTC",
            "notificationSettings": {"status": "Disabled"},
            "targetResourceId": names.id_of(ResourceKind.VIRTUAL_MACHINE, names.machine),
        },
    }
