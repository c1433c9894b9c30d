"""What a query, a list or a read says of one resource; and how resources become runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from provisioning.azure import observed as seen
from provisioning.azure.naming import GROUP_PREFIX, RUN_TAG, ref_of
from provisioning.owned_types import OwnedItem, OwnedRun
from provisioning.types import PowerState, ResourceKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provisioning.types import ResourceRef

_OWNER_TAG, _EXPIRES_TAG = "llamalift-owner", "llamalift-expires"


@dataclass(frozen=True, slots=True)
class Row:
    """One resource, as far as the answer said what it is."""

    ref: ResourceRef
    tags: Mapping[str, str] = field(default_factory=dict)
    region: str = ""
    created: str = ""
    size: str = ""
    is_spot: bool = False
    power: PowerState | None = None
    disk_type: str = ""
    gib: int = 0

    @property
    def group(self) -> str:
        """Its resource group, in lower case."""
        parts = self.ref.resource_id.lower().split("/")
        return parts[4] if len(parts) > 4 else ""


def row_of(body: Mapping[str, Any]) -> Row:
    """Read a row of our query, or a body as the Resource Manager answers it."""
    ref = ref_of(str(body["id"]))
    is_machine, is_disk = ref.kind is ResourceKind.VIRTUAL_MACHINE, ref.kind is ResourceKind.DISK
    has_size = is_disk or ref.kind is ResourceKind.SNAPSHOT
    sku = body.get("sku")
    disk_type = sku if isinstance(sku, str) else seen.value_at(body, "sku.name")
    priority = body.get("priority") or seen.value_at(body, "properties.priority")
    return Row(
        ref=ref,
        tags=body.get("tags") or {},
        region=str(body.get("location") or ""),
        created=str(body.get("created") or seen.value_at(body, "properties.timeCreated") or ""),
        size=str(body.get("size") or seen.value_at(body, "properties.hardwareProfile.vmSize") or ""),
        is_spot=str(priority).lower() == "spot",
        power=_power(body) if is_machine else None,
        disk_type=str(disk_type or "") if is_disk else "",
        gib=int(body.get("gib") or seen.value_at(body, "properties.diskSizeGB") or 0) if has_size else 0,
    )


def _power(body: Mapping[str, Any]) -> PowerState:
    code = body.get("power")
    statuses = [{"code": code}] if code else seen.value_at(body, "properties.instanceView.statuses")
    properties = {"provisioningState": seen.provisioning_state(body), "instanceView": {"statuses": statuses or []}}
    return seen.power_of({"properties": properties})


def assembled(subscription_id: str, rows: Iterable[Row]) -> list[OwnedRun]:
    """The runs, in order of their ids.

    A resource is a run's if it carries the run's tag, or lies in the run's own group: one of its name with its tag.
    """
    rows = list({row.ref.resource_id.lower(): row for row in rows}.values())
    own = {_own_group(row): str(row.tags[RUN_TAG]) for row in rows if _own_group(row)}
    runs: dict[str, list[Row]] = {}
    for row in rows:
        run_id = str(row.tags.get(RUN_TAG) or own.get(row.group, ""))
        # The whole subscription is looked at; what is only called like ours is not.
        if run_id and row.ref.resource_id.lower().startswith(f"/subscriptions/{subscription_id}/".lower()):
            runs.setdefault(run_id, []).append(row)
    return [_run(run_id, found, own) for run_id, found in sorted(runs.items())]


def _own_group(row: Row) -> str:
    """The group's name in lower case when the row is a run's own group; empty for anything else."""
    run_id = str(row.tags.get(RUN_TAG, ""))
    is_own = row.ref.kind is ResourceKind.RESOURCE_GROUP and row.group == f"{GROUP_PREFIX}{run_id}".lower()
    return row.group if run_id and is_own else ""


def _run(run_id: str, rows: list[Row], own: Mapping[str, str]) -> OwnedRun:
    rows = sorted(rows, key=lambda row: (row.ref.kind is not ResourceKind.RESOURCE_GROUP, row.ref.resource_id.lower()))
    tags = [row.tags for row in rows if row.tags]
    return OwnedRun(
        run_id=run_id,
        owner=next((str(each[_OWNER_TAG]) for each in tags if each.get(_OWNER_TAG)), ""),
        expires_at=_time(next((str(each[_EXPIRES_TAG]) for each in tags if each.get(_EXPIRES_TAG)), "")),
        items=tuple(
            OwnedItem(
                ref=row.ref, region=row.region, is_inside=own.get(row.group) == run_id, created_at=_time(row.created),
                size=row.size, is_spot=row.is_spot, power=row.power, disk_type=row.disk_type, gib=row.gib,
            )
            for row in rows
        ),
        tags=next(iter(tags), {}),
    )  # fmt: skip


def _time(text: str) -> datetime | None:
    """A time as Azure or our own tag writes it; None for what is none (anybody may change a tag)."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
