"""The whole rehearsal cloud as one value: what exists, what runs, what goes wrong by script."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.witness import Witness

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.rehearsal.arm.accounts import RehearsalAccount
    from provisioning.rehearsal.arm.faults import FaultList
    from provisioning.rehearsal.arm.machine_room import MachineRoom
    from provisioning.rehearsal.arm.operation_urls import OperationUrls
    from provisioning.rehearsal.arm.operations import Operations
    from provisioning.rehearsal.arm.store import Resource, Store

GROUP_TYPE = "Microsoft.Resources/resourceGroups"


@dataclass(slots=True)
class Settings:
    """What a test or a lesson may turn.

    Attributes:
        nic_reservation_seconds: How long an interface stays reserved after its machine failed (Azure: 180).
        quota_limits: Limit by usage name, over the defaults.
    """

    nic_reservation_seconds: float = 0.0
    quota_limits: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class World:
    """The whole rehearsal cloud."""

    account: RehearsalAccount
    store: Store
    operations: Operations
    urls: OperationUrls
    faults: FaultList
    machines: MachineRoom
    state_folder: Path
    ca_file: Path
    environment_cache: Path
    metadata_url: str
    settings: Settings = field(default_factory=Settings)
    witness: Witness = field(default_factory=Witness)

    def group_id(self, name: str) -> str:
        """The id of a resource group."""
        return f"/subscriptions/{self.account.subscription_id}/resourceGroups/{name}"

    def group(self, name: str) -> Resource | None:
        """The resource group with this name, if it exists."""
        return self.store.get(self.group_id(name))

    @property
    def empty(self) -> bool:
        """Whether nothing exists and nothing is under way."""
        return not self.store.all() and not self.operations.busy
