"""The backstop that needs no rights on the machine: Azure deallocates it at a time of day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from provisioning.azure.generic_resource import GenericResource
from provisioning.types import ResourceKind


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
        return {
            "location": self.request.region,
            "tags": self.tags,
            "properties": {
                "status": "Enabled",
                "taskType": "ComputeVmShutdownTask",
                "dailyRecurrence": {"time": f"{self.at.astimezone(UTC):%H%M}"},
                "timeZoneId": "UTC",
                "notificationSettings": {"status": "Disabled"},
                "targetResourceId": self.names.id_of(ResourceKind.VIRTUAL_MACHINE, self.names.machine),
            },
        }
