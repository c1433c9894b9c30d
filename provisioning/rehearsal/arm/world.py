"""The whole rehearsal cloud as one value: what exists, what runs, what goes wrong by script."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm import latencies
from provisioning.rehearsal.arm.graph.quota import QueryQuota
from provisioning.rehearsal.arm.request_log import RequestLog
from provisioning.rehearsal.arm.witness import Witness

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.rehearsal.arm.accounts import RehearsalAccount
    from provisioning.rehearsal.arm.faults import FaultList
    from provisioning.rehearsal.arm.json_types import Json
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
        group_patience_seconds: How long a group's deletion waits for reserved interfaces before it is rolled back as
            blocked.
        clock_offset_seconds: How far the cloud's clock is ahead of this computer's: tokens, auto-shutdowns and
            evictions go by it.
        eviction_notice_seconds: How long ahead `simulateEviction` announces itself to the machine (Azure: 30).
        graph_lag_seconds: How long Resource Graph does not hear of a change (Azure: seconds to minutes); at most 600.
        graph_queries_per_window: Queries that Resource Graph answers in five seconds (Azure: 15).
        capacity: Pools of machines (`provisioning.rehearsal.arm.compute.capacity.Pool`); the first that fits counts.
        latencies: How long calls and operations take.
        regional_quota_limits: The same by region, over both.
        size_restrictions: What the subscription may not have: `{"size", "region", "zones", "reason"}`; without zones it
            is the whole region, without a reason `NotAvailableForSubscription`.
        caller_role: The signed-in user's role in the subscription, by its name (`Owner`, `Contributor`, `Reader` …).
        unregistered_providers: Resource providers that are not registered until someone registers them.
        spot_prices: Dollars per hour by size, or by `size/region` which comes first, over the defaults.
        eviction_bands: `0-5` … `20+` by size, or by `size/region` which comes first, over the defaults.
        price_page_items: Items on a page of the price feed (Azure: 1,000).
        snapshot_copy_seconds: How long the copy of a snapshot to another region takes, by the cloud's own clock (Azure:
            minutes to hours).
        failing_snapshot_copies: Regions into which such a copy begins and does not end.
    """

    nic_reservation_seconds: float = 0.0
    quota_limits: dict[str, int] = field(default_factory=dict)
    group_patience_seconds: float = 600.0
    clock_offset_seconds: float = 0.0
    eviction_notice_seconds: float = 30.0
    graph_lag_seconds: float = 0.0
    graph_queries_per_window: int = 15
    capacity: list[Json] = field(default_factory=list)
    latencies: latencies.Latencies = latencies.NONE
    regional_quota_limits: dict[str, dict[str, int]] = field(default_factory=dict)
    size_restrictions: list[Json] = field(default_factory=list)
    caller_role: str = "Owner"
    unregistered_providers: list[str] = field(default_factory=list)
    spot_prices: dict[str, float] = field(default_factory=dict)
    eviction_bands: dict[str, str] = field(default_factory=dict)
    price_page_items: int = 1_000
    snapshot_copy_seconds: float = 0.0
    failing_snapshot_copies: list[str] = field(default_factory=list)


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
    graph_quota: QueryQuota = field(default_factory=QueryQuota)
    # How often each pool of `settings.capacity` has refused a machine.
    refused: dict[int, int] = field(default_factory=dict)
    requests: RequestLog = field(default_factory=RequestLog)
    witness: Witness = field(default_factory=Witness)

    def now(self) -> float:
        """The cloud's own time, in seconds since the epoch."""
        return time.time() + self.settings.clock_offset_seconds

    def now_text(self) -> str:
        """The same as ARM writes it."""
        return datetime.fromtimestamp(self.now(), UTC).isoformat()

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
