"""What Azure is sent to move a disk, and what its answers say."""

from __future__ import annotations

from typing import Any

import pytest

from provisioning.azure import disk_copies as copies
from provisioning.azure.naming import Names
from provisioning.azure.request_models import check_body
from provisioning.types import Place

NAMES = Names("s", "tiny-aaaaaa")
SNAPSHOT = {"id": "/s/snapshot", "location": "eastus", "properties": {"uniqueId": "u-2"}}


def disk(sku: str) -> dict[str, Any]:
    """A disk as Azure describes it."""
    sectors = {"logicalSectorSize": 512} if "V2" in sku else {}
    properties = {
        "diskSizeGB": 1024, "diskIOPSReadWrite": 6000, "diskMBpsReadWrite": 500, "uniqueId": "u-1",
        "creationData": {"createOption": "Empty", **sectors},
        "LastOwnershipUpdateTime": "2026-11-25T12:00:00Z",
    }  # fmt: skip
    return {"id": "/s/disk", "location": "eastus", "sku": {"name": sku}, "properties": properties}


def test_a_snapshot_is_incremental_for_only_such_can_be_copied() -> None:
    """In its region with `Copy`, to another one with `CopyStart`; the models of the SDK know every key."""
    own = copies.snapshot_body(disk("Premium_LRS"), {"a": "b"})
    assert own == {
        "location": "eastus",
        "tags": {"a": "b"},
        "properties": {"creationData": {"createOption": "Copy", "sourceResourceId": "/s/disk"}, "incremental": True},
    }
    there = copies.copy_body(SNAPSHOT, "westus3", {"a": "b"})
    assert there["location"] == "westus3"
    assert there["properties"]["creationData"] == {"createOption": "CopyStart", "sourceResourceId": "/s/snapshot"}
    for body in (own, there):
        assert check_body("PUT", "Microsoft.Compute/snapshots", body) == []


@pytest.mark.parametrize(
    ("sku", "speed"), [("Premium_LRS", {}), ("PremiumV2_LRS", {"diskIOPSReadWrite": 6000, "diskMBpsReadWrite": 500})]
)
def test_the_new_disk_is_what_the_old_one_was(sku: str, speed: dict[str, int]) -> None:
    """Type, size, and where it is paid for also speed and sectors."""
    body = copies.disk_body(disk(sku), SNAPSHOT, Place("westus3", "2"), {})
    assert body["zones"] == ["2"]
    assert body["sku"] == {"name": sku}
    creation = body["properties"].pop("creationData")
    assert creation["sourceResourceId"] == "/s/snapshot"
    assert creation.get("logicalSectorSize") == (512 if speed else None)
    assert body["properties"] == {"diskSizeGB": 1024, **speed}
    body["properties"]["creationData"] = creation
    assert check_body("PUT", "Microsoft.Compute/disks", body) == []
    assert "zones" not in copies.disk_body(disk(sku), SNAPSHOT, Place("westus3", None), {})


@pytest.mark.parametrize(
    ("creation", "is_of"),
    [
        ({"sourceResourceId": "/S/Snapshot", "sourceUniqueId": "u-2"}, True),
        ({"sourceResourceId": "/s/snapshot", "sourceUniqueId": "u-1"}, False),
        ({"sourceResourceId": "/S/Snapshot"}, True),
        ({"sourceResourceId": "/s/other"}, False),
        ({"createOption": "Empty"}, False),
    ],
)
def test_a_copy_says_what_it_is_of(creation: dict[str, str], *, is_of: bool) -> None:
    """By the source's own id, which its name may have had before; by its name where only that is told."""
    assert copies.is_of({"properties": {"creationData": creation}}, SNAPSHOT) is is_of


def test_an_answer_says_how_far_a_copy_is() -> None:
    """Without a percentage there is nothing to wait for; an error ends the waiting."""
    assert copies.is_whole({"properties": {}})
    assert not copies.is_whole({"properties": {"completionPercent": 99.9}})
    failed = {"properties": {"copyCompletionError": {"errorCode": "CopySourceNotFound", "errorMessage": "gone"}}}
    assert copies.copy_error_of(failed) == ("CopySourceNotFound", "gone")
    assert copies.copy_error_of({"properties": {}}) is None


def test_a_snapshot_from_before_a_machine_held_the_disk_is_old() -> None:
    """Azure says when a disk was attached or let go last; without that it is taken as it is."""
    before, after = ({"properties": {"timeCreated": f"2026-11-25T{hour}:00:00Z"}} for hour in ("11", "13"))
    assert copies.is_older(before, disk("Premium_LRS"))
    assert not copies.is_older(after, disk("Premium_LRS"))
    assert not copies.is_older(before, {"properties": {}})


@pytest.mark.parametrize(
    ("name", "generation"),
    [
        ("tiny-aaaaaa-workspace", 1),
        ("Tiny-aaaaaa-Workspace-2", 2),
        ("tiny-aaaaaa-workspace-12", 12),
        ("tiny-aaaaaa-workspace-1", 0),
        ("tiny-aaaaaa-workspace-2-copy", 0),
        ("tiny-aaaaaa-os", 0),
        ("x-tiny-aaaaaa-workspace", 0),
    ],
)
def test_a_workspace_disk_is_known_by_its_name(name: str, generation: int) -> None:
    """And by nothing else of that group; the names that a move makes are such."""
    assert NAMES.generation_of(name) == generation
    if generation:
        assert NAMES.workspace_disk_of(generation).lower() == name.lower()
