"""What a whole subscription holds of ours, run by run, as tags and names say it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provisioning.types import PowerState, ResourceKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from provisioning.types import ResourceRef


@dataclass(frozen=True, slots=True)
class OwnedItem:
    """One resource of a run.

    Attributes:
        ref: The resource.
        region: Azure region.
        is_inside: Whether it is, or lies in, the run's own resource group; what lies elsewhere is a stray.
        created_at: When Azure made it, where Azure says so.
        size: VM size of a machine; empty for anything else.
        is_spot: Whether a machine is a spot machine.
        power: A machine's power state; None for anything else.
        disk_type: Type of a disk, for example `Premium_LRS`; empty for anything else.
        gib: Size of a disk, or of what a snapshot is of, in GiB; 0 for anything else.
    """

    ref: ResourceRef
    region: str
    is_inside: bool
    created_at: datetime | None
    size: str = ""
    is_spot: bool = False
    power: PowerState | None = None
    disk_type: str = ""
    gib: int = 0


@dataclass(frozen=True, slots=True)
class OwnedRun:
    """Everything of one run that exists in the subscription.

    Attributes:
        run_id: The run, from the tag `llamalift-run`.
        owner: Who started it, from the tag `llamalift-owner`; empty when nothing says so.
        expires_at: Until when it was meant to live, from the tag `llamalift-expires`.
        items: Its resources, its group first.
        tags: The tags of its group; without one, of whatever has tags.
    """

    run_id: str
    owner: str
    expires_at: datetime | None
    items: tuple[OwnedItem, ...]
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_group(self) -> bool:
        """Whether its own resource group exists."""
        return any(item.ref.kind is ResourceKind.RESOURCE_GROUP for item in self.items)

    @property
    def strays(self) -> tuple[OwnedItem, ...]:
        """What carries its tag and lies in a group that is not its own."""
        return tuple(item for item in self.items if not item.is_inside)

    @property
    def power(self) -> PowerState:
        """The power state of its machine; of several, of one that runs."""
        powers = [item.power for item in self.items if item.power is not None]
        asleep = {PowerState.DEALLOCATED}
        return next((power for power in powers if power not in asleep), powers[0] if powers else PowerState.ABSENT)

    @property
    def created_at(self) -> datetime | None:
        """When the oldest of it was made, as far as Azure says so."""
        return min((item.created_at for item in self.items if item.created_at is not None), default=None)
