"""How long the rehearsal cloud lets things take: nothing, unless a test or a benchmark gives it Azure's own times."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.rehearsal.arm.json_types import Json


@dataclass(frozen=True, slots=True)
class Latencies:
    """Times in seconds, each multiplied by `scale`.

    Attributes:
        operations: Of an asynchronous operation from the call that starts it to its end, by action (`machine-create`),
            or by action and resource type (`settle Microsoft.Network/virtualNetworks`).
        calls: Of a call that is answered when it is done, by method and resource type
            (`PUT Microsoft.Resources/resourceGroups`).
        round_trip: Of every call, on top.
        retry_after: What the answers of unfinished operations ask for, as `Retry-After` in whole seconds; 0 asks for a
            tenth of a second.
        scale: 1 for real time; 0.1 is ten times as fast.
    """

    operations: Mapping[str, float]
    calls: Mapping[str, float]
    round_trip: float = 0.0
    retry_after: float = 0.0
    scale: float = 1.0

    @staticmethod
    def from_json(body: Json) -> Latencies:
        """Read them as the control endpoint gets them.

        Raises:
            ArmError: 400 for a name that they have not.
        """
        unknown = body.keys() - {known.name for known in fields(Latencies)}
        if unknown:
            raise ArmError(400, "InvalidSetting", f"unknown latencies: {sorted(unknown)}")
        return Latencies(**{"operations": {}, "calls": {}, **body})

    def of_operation(self, action: str, resource_type: str) -> float:
        """Seconds that an operation takes at least."""
        return self.scale * self.operations.get(action, self.operations.get(f"{action} {resource_type}", 0.0))

    def of_call(self, method: str, resource_type: str) -> float:
        """Seconds that the answer to a call takes at least, without its journey."""
        return self.scale * self.calls.get(f"{method} {resource_type}", 0.0)

    @property
    def of_journey(self) -> float:
        """Seconds that every call takes to travel."""
        return self.scale * self.round_trip

    @property
    def retry_after_seconds(self) -> int:
        """What `Retry-After` says, at least a second; 0 for no such header."""
        return max(1, round(self.scale * self.retry_after)) if self.retry_after else 0


NONE = Latencies({}, {})
