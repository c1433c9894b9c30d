"""The rehearsal cloud's snapshots as Azure's documentation has them: what is refused, what is asynchronous."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from provisioning.rehearsal.service import change_settings, jump_clock
from tests.fakes.arm_caller import Answer, ArmCaller, Bodies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.rehearsal.service import EmulatorHandle

DISKS, SNAPSHOTS = "Microsoft.Compute/disks", "Microsoft.Compute/snapshots"


class Shelf:
    """One group with one disk, and what is made of it."""

    def __init__(self, handle: EmulatorHandle) -> None:
        self.handle = handle
        self.caller = ArmCaller(handle)
        self.caller.done("PUT", "/resourcegroups/shelf", {"location": "eastus"})
        self._bodies = Bodies(self.caller, "shelf")
        self.caller.done("PUT", self.path("disk", DISKS), self._bodies.disk() | {"zones": ["1"]})

    def path(self, name: str, kind: str = SNAPSHOTS) -> str:
        """Where something is, below the subscription."""
        return self._bodies.path(kind, name)

    def put(
        self,
        name: str,
        source: str,
        option: str = "Copy",
        *,
        kind: str = SNAPSHOTS,
        **more: Any,  # noqa: ANN401 - JSON
    ) -> Answer:
        """Ask for a copy of `source`; `more` are properties, but for its location and zones."""
        place = {key: more.pop(key) for key in ("zones",) if key in more} | {"location": more.pop("location", "eastus")}
        creation = {"createOption": option, "sourceResourceId": f"{self.caller.root}{source}"}
        if kind == SNAPSHOTS:
            more.setdefault("incremental", True)
        return self.caller.call(
            "PUT", self.path(name, kind), {**place, "properties": {"creationData": creation, **more}}
        )

    def made(self, *args: Any, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
        """The same, to its end; what a read says afterwards."""
        answer = self.put(*args, **more)
        assert answer.status == 202, answer
        assert self.caller.wait(answer).body["status"] == "Succeeded"
        return self.read(args[0], more.get("kind", SNAPSHOTS))

    def read(self, name: str, kind: str = SNAPSHOTS) -> dict[str, Any]:
        """What a read says."""
        body: dict[str, Any] = self.caller.call("GET", self.path(name, kind)).body
        return body


@pytest.fixture
def shelf(emulator: EmulatorHandle) -> Iterator[Shelf]:
    """Emptied afterwards."""
    shelf = Shelf(emulator)
    yield shelf
    change_settings(emulator, snapshot_copy_seconds=0, failing_snapshot_copies=[])
    shelf.caller.done("DELETE", "/resourcegroups/shelf")


def test_a_snapshot_tells_what_it_is_of(shelf: Shelf) -> None:
    """Size, source and family; two of one disk have the same family; in its own region there is nothing to wait for."""
    snapshot = shelf.made("one", shelf.path("disk", DISKS))
    properties, disk = snapshot["properties"], shelf.read("disk", DISKS)["properties"]
    assert properties["creationData"]["sourceUniqueId"] == disk["uniqueId"]
    assert (properties["diskSizeGB"], properties["incremental"]) == (disk["diskSizeGB"], True)
    assert "completionPercent" not in properties
    copied = shelf.made("two", shelf.path("one"), "CopyStart", location="westus3")["properties"]
    assert copied["incrementalSnapshotFamilyId"] == properties["incrementalSnapshotFamilyId"]
    listed = shelf.caller.call("GET", shelf.path("one").rpartition("/")[0]).body["value"]
    assert [one["name"] for one in listed] == ["one", "two"]


def test_what_azure_refuses_is_refused(shelf: Shelf) -> None:
    """Full snapshots and disks are not copied across regions, nothing is restored from elsewhere or made smaller."""
    disk = shelf.path("disk", DISKS)
    shelf.made("full", disk, incremental=False)
    shelf.made("one", disk)
    refused = {
        "from nowhere": shelf.put("x", shelf.path("missing")),
        "from another region": shelf.put("x", disk, location="westus3"),
        "a disk across regions": shelf.put("x", disk, "CopyStart", location="westus3"),
        "a full one across regions": shelf.put("x", shelf.path("full"), "CopyStart", location="westus3"),
        "as a full one": shelf.put("x", shelf.path("one"), "CopyStart", location="westus3", incremental=False),
        "a disk elsewhere": shelf.put("x", shelf.path("one"), kind=DISKS, location="westus3"),
        "a smaller disk": shelf.put("x", shelf.path("one"), kind=DISKS, diskSizeGB=8),
        "another source": shelf.put("one", shelf.path("full")),
    }
    codes = {what: (answer.status, answer.code) for what, answer in refused.items()}
    assert codes == {
        "from nowhere": (404, "NotFound"),
        "another source": (409, "PropertyChangeNotAllowed"),
        **dict.fromkeys(list(refused)[1:-1], (400, "InvalidParameter")),
    }


def test_a_copy_goes_on_after_its_call_and_is_of_no_use_before_its_end(shelf: Shelf) -> None:
    """Its percentage grows by the cloud's clock; a disk can be made of it when it is whole."""
    change_settings(shelf.handle, snapshot_copy_seconds=200)
    shelf.made("one", shelf.path("disk", DISKS))
    copied = shelf.made("two", shelf.path("one"), "CopyStart", location="westus3")["properties"]
    assert (copied["provisioningState"], copied["completionPercent"] < 50) == ("Succeeded", True)
    early = shelf.put("new", shelf.path("two"), kind=DISKS, location="westus3", zones=["2"])
    assert (early.status, early.code) == (409, "OperationNotAllowed")
    jump_clock(shelf.handle, 120)
    assert 50 < shelf.read("two")["properties"]["completionPercent"] < 100
    jump_clock(shelf.handle, 120)
    assert shelf.read("two")["properties"]["completionPercent"] == 100
    new = shelf.made("new", shelf.path("two"), kind=DISKS, location="westus3", zones=["2"])
    assert new["properties"]["diskSizeGB"] == 32


def test_snapshots_of_premium_v2_are_copied_in_the_background(shelf: Shelf) -> None:
    """In their own region, too; until then no disk can be made of them."""
    change_settings(shelf.handle, snapshot_copy_seconds=200)
    body = {"location": "eastus", "zones": ["1"], "sku": {"name": "PremiumV2_LRS"}}
    properties = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 32}
    shelf.caller.done("PUT", shelf.path("fast", DISKS), {**body, "properties": properties})
    assert shelf.made("one", shelf.path("fast", DISKS))["properties"]["completionPercent"] < 50
    assert shelf.put("new", shelf.path("one"), kind=DISKS, zones=["2"]).code == "OperationNotAllowed"
    jump_clock(shelf.handle, 200)
    assert shelf.made("new", shelf.path("one"), kind=DISKS, zones=["2"])["zones"] == ["2"]


@pytest.mark.parametrize("why", ["its source is deleted", "by script"])
def test_a_copy_that_fails_says_so_in_the_snapshot(shelf: Shelf, why: str) -> None:
    """Never in the operation, which has long succeeded."""
    failing = ["westus3"] if why == "by script" else []
    change_settings(shelf.handle, snapshot_copy_seconds=200, failing_snapshot_copies=failing)
    shelf.made("one", shelf.path("disk", DISKS))
    shelf.made("two", shelf.path("one"), "CopyStart", location="westus3")
    if not failing:
        shelf.caller.done("DELETE", shelf.path("one"))
    jump_clock(shelf.handle, 200)
    properties = shelf.read("two")["properties"]
    assert properties["completionPercent"] < 100
    assert properties["copyCompletionError"]["errorCode"] == "CopySourceNotFound"
