"""What a Resource SKUs item and a usages row mean to a run; the items have the shape of recorded ones."""

from __future__ import annotations

from typing import Any

from provisioning.azure.survey.quotas import quotas_for
from provisioning.azure.survey.sizes import read_size
from provisioning.survey_types import Quota


def item(*restrictions: dict[str, Any], zones: tuple[str, ...] = ("3", "1")) -> dict[str, Any]:
    """A size of the list, as it stands in East US."""
    return {
        "resourceType": "virtualMachines",
        "name": "Standard_ND40rs_v2",
        "family": "standardNDSv2Family",
        "locations": ["eastus"],
        "locationInfo": [{"location": "eastus", "zones": list(zones), "zoneDetails": []}],
        "capabilities": [
            {"name": "vCPUs", "value": "40"},
            {"name": "GPUs", "value": "8"},
            {"name": "LowPriorityCapable", "value": "True"},
        ],
        "restrictions": list(restrictions),
    }


def restriction(kind: str, *zones: str, reason: str = "NotAvailableForSubscription") -> dict[str, Any]:
    """A restriction in East US."""
    info: dict[str, Any] = {"locations": ["eastus"]}
    if zones:
        info["zones"] = list(zones)
    return {"type": kind, "values": ["eastus"], "restrictionInfo": info, "reasonCode": reason}


def test_size_without_restrictions() -> None:
    """Zones come in order, numbers and yes-or-no out of texts."""
    size = read_size(item(), "eastus")
    assert (size.is_offered, size.restriction, size.zones, size.restricted_zones) == (True, "", ("1", "3"), ())
    assert (size.vcpus, size.gpus, size.family, size.is_spot_capable) == (40, 8, "standardNDSv2Family", True)


def test_restricted_zones_leave_the_region() -> None:
    """A zone restriction takes away those zones; a machine without a zone may still be had."""
    size = read_size(item(restriction("Zone", "3")), "eastus")
    assert (size.is_offered, size.zones, size.restricted_zones) == (True, ("1",), ("3",))
    assert size.restriction == "NotAvailableForSubscription"


def test_all_zones_restricted() -> None:
    """Azure names zones that the size never had there; only those that it has count as restricted."""
    size = read_size(item(restriction("Zone", "1", "2", "3")), "eastus")
    assert (size.is_offered, size.zones, size.restricted_zones) == (True, (), ("1", "3"))


def test_restricted_region() -> None:
    """A location restriction means no, whatever the zones say; its reason is kept as Azure codes it."""
    both = item(restriction("Location", reason="QuotaId"), restriction("Zone", "1", "2", "3"))
    size = read_size(both, "eastus")
    assert (size.is_offered, size.restriction) == (False, "QuotaId")


def test_restriction_elsewhere_does_not_count() -> None:
    """The list names the region of each restriction."""
    assert read_size(item(restriction("Location")), "westus2").is_offered


def test_bare_item() -> None:
    """What an item leaves out is zero, empty or no."""
    size = read_size({"name": "Standard_X"}, "eastus")
    assert (size.is_offered, size.vcpus, size.gpus, size.family, size.is_spot_capable) == (True, 0, 0, "", False)


def test_quotas_of_a_family() -> None:
    """A size is counted against its family, all cores and the spot pool; capitals differ between Azure's APIs."""
    rows = [
        Quota("cores", "Total Regional vCPUs", 350, 96),
        Quota("lowPriorityCores", "Total Regional Low-priority vCPUs", 192, 0),
        Quota("standard NDAMSv4_A100Family", "Standard NDAMSv4_A100 Family vCPUs", 96, 120),
        Quota("standardDSv5Family", "Standard DSv5 Family vCPUs", 100, 0),
    ]
    found = quotas_for("Standard NDAMSv4_A100family", rows)
    assert [quota.name for quota in found] == ["standard NDAMSv4_A100Family", "cores", "lowPriorityCores"]
    assert [quota.free for quota in found] == [0, 254, 192]


def test_family_without_a_row() -> None:
    """A limit that Azure does not list is left out; it is not zero."""
    assert [quota.name for quota in quotas_for("newFamily", [Quota("cores", "", 10, 0)])] == ["cores"]
