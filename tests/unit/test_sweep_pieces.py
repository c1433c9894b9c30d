"""What a sweep says of a find, by what is found and by what this computer knows; and how finds become runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from provisioning.azure.owned_rows import assembled, row_of
from provisioning.owned_types import OwnedItem
from provisioning.types import DeletionProof, PowerState, ResourceKind, ResourceRef
from runs.plan.prices import PUBLIC_IP_DOLLARS_PER_HOUR, disk_price, machine_price
from runs.sweep_ledger import SweepLedger
from runs.sweep_prices import hourly_price
from tests.fakes.decisions import decided

if TYPE_CHECKING:
    from pathlib import Path

SIZE = "Standard_NC24ads_A100_v4"
GROUP = "/subscriptions/s/resourceGroups/"


def an_item(kind: ResourceKind, **values: Any) -> OwnedItem:  # noqa: ANN401 - the fields of OwnedItem
    """Something in East US."""
    return OwnedItem(ResourceRef(kind, "x", "/x"), region="eastus", is_inside=True, created_at=None, **values)


def a_machine(power: PowerState, size: str = SIZE) -> OwnedItem:
    """A machine in some state."""
    return an_item(ResourceKind.VIRTUAL_MACHINE, size=size, power=power)


@pytest.mark.parametrize(
    ("item", "price"),
    [
        (a_machine(PowerState.RUNNING), machine_price(SIZE, "eastus").dollars_per_hour),
        (a_machine(PowerState.STOPPED), machine_price(SIZE, "eastus").dollars_per_hour),
        (a_machine(PowerState.DEALLOCATED), 0.0),
        (a_machine(PowerState.RUNNING, "Standard_Unheard_of"), None),
        (an_item(ResourceKind.DISK, disk_type="Premium_LRS", gib=1024), disk_price("Premium_LRS", 1024)),
        (an_item(ResourceKind.DISK, disk_type="Crystal_LRS", gib=1024), None),
        (an_item(ResourceKind.SNAPSHOT, gib=1000), pytest.approx(1073.741824 * 0.05 / 730)),
        (an_item(ResourceKind.PUBLIC_IP), PUBLIC_IP_DOLLARS_PER_HOUR),
        (an_item(ResourceKind.VIRTUAL_NETWORK), 0.0),
    ],
    ids=[
        "running",
        "off is billed",
        "deallocated",
        "unknown size",
        "disk",
        "unknown disk",
        "snapshot",
        "address",
        "network",
    ],
)
def test_what_a_find_costs(item: OwnedItem, price: float | None) -> None:
    """An unknown size or type is no price, and never taken for nothing."""
    assert hourly_price(item, None) == price


def test_a_run_s_own_price_is_better_than_the_list_s() -> None:
    """A spot machine of this computer costs what was decided; one of another size does not."""
    spot = decided(size=SIZE, spot=True, machine_dollars_per_hour=0.4)
    assert hourly_price(a_machine(PowerState.RUNNING), spot) == 0.4
    assert hourly_price(a_machine(PowerState.RUNNING, "Standard_D2s_v5"), spot) == 0.096


def a_row(group: str, name: str = "", **tags: str) -> Any:  # noqa: ANN401 - a row
    """A group, or a disk in it."""
    where = f"{GROUP}{group}/providers/Microsoft.Compute/disks/{name}" if name else GROUP + group
    return row_of({"id": where, "tags": {key.replace("_", "-"): value for key, value in tags.items()}})


def test_a_find_belongs_to_its_tag_before_its_group() -> None:
    """Another run's tag in our group; our tag in another's group; names without tags are nobody's; ids ignore case."""
    rows = [
        a_row("llamalift-a-aaaaaa", llamalift_run="a-aaaaaa", llamalift_expires="soon", llamalift_owner="ada"),
        a_row("LLAMALIFT-A-AAAAAA", "plain"),
        a_row("llamalift-a-aaaaaa", "Plain"),
        a_row("llamalift-a-aaaaaa", "guest", llamalift_run="b-bbbbbb", llamalift_expires="2026-11-25T20:00:00"),
        a_row("theirs", "copy", llamalift_run="a-aaaaaa"),
        a_row("theirs", "private"),
        a_row("llamalift-c-cccccc"),
        a_row("llamalift-c-cccccc", "not ours"),
    ]
    first, second = assembled("S", rows)
    assert (first.run_id, first.owner, first.expires_at) == ("a-aaaaaa", "ada", None)
    assert [item.ref.name for item in first.items] == ["llamalift-a-aaaaaa", "Plain", "copy"]
    assert [item.ref.name for item in first.strays] == ["copy"]
    assert (second.run_id, [item.ref.name for item in second.strays]) == ("b-bbbbbb", ["guest"])
    # A time without a zone, as a person may write it, is UTC.
    assert second.expires_at is not None
    assert second.expires_at.isoformat() == "2026-11-25T20:00:00+00:00"


def test_the_sweep_s_ledger_is_durable_and_private(tmp_path: Path) -> None:
    """A line for each moment, in order, readable by its owner alone."""
    file = tmp_path / "state" / "sweeps.jsonl"
    ref = ResourceRef(ResourceKind.DISK, "d", "/d")
    ledger = SweepLedger(file, "a-aaaaaa")
    ledger.intend_delete(ref)
    ledger.gone(DeletionProof(ref, None))  # type: ignore[arg-type]  # the ledger keeps its own time
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["run_id"], line["moment"], line["resource_id"]) for line in lines] == [
        ("a-aaaaaa", "delete intended", "/d"),
        ("a-aaaaaa", "gone", "/d"),
    ]
    assert file.stat().st_mode & 0o777 == 0o600
