"""The small pure parts of the rehearsal cloud: ids, filters, regions, api-versions, routes."""

from __future__ import annotations

import pytest

from provisioning.rehearsal.arm.api_versions import KNOWN
from provisioning.rehearsal.arm.compute.sizes import DEFAULT_LIMITS, SIZES
from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.ids import ResourceId
from provisioning.rehearsal.arm.regions import check_region
from provisioning.rehearsal.arm.resources.filters import matching, terms
from provisioning.rehearsal.arm.routes import KINDS, ROUTES
from provisioning.rehearsal.arm.routing import Router
from provisioning.rehearsal.arm.store import Resource

_SUBNET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n/subnets/m"


def _disk(name: str, tags: dict[str, str]) -> Resource:
    return Resource(f"/x/{name}", "Microsoft.Compute/disks", name, "g", "eastus", {"tags": tags})


def test_an_id_is_put_together_as_it_was_taken_apart() -> None:
    """Children included."""
    parsed = ResourceId.parse(_SUBNET)
    assert str(parsed) == _SUBNET
    assert (parsed.type, parsed.name) == ("Microsoft.Network/virtualNetworks/subnets", "n/m")


@pytest.mark.parametrize(
    "text", ["", "nic1", "/subscriptions/s", _SUBNET + "/more", "/subscriptions/s/x/g/providers/a/b/c"]
)
def test_a_malformed_id_is_refused(text: str) -> None:
    """ARM's own code for a reference that is no id."""
    with pytest.raises(ArmError) as caught:
        ResourceId.parse(text)
    assert caught.value.code == "LinkedInvalidPropertyId"


def test_filters_are_joined_by_and_and_may_quote() -> None:
    """A doubled quote stands for one; names are compared without case."""
    assert terms("tagName eq 'it''s' and tagValue eq ''") == {"tagname": "it's", "tagvalue": ""}
    disks = [_disk("a", {"Run": "1"}), _disk("b", {"run": "2"}), _disk("c", {})]
    assert [disk.name for disk in matching(disks, "tagName eq 'run'")] == ["a", "b"]
    assert [disk.name for disk in matching(disks, "tagName eq 'RUN' and tagValue eq '2'")] == ["b"]
    assert [disk.name for disk in matching(disks, "resourceType eq 'microsoft.compute/DISKS' and name eq 'C'")] == ["c"]


@pytest.mark.parametrize("text", ["tagValue eq 'x'", "color eq 'red'", "name = 'x'", "name eq x"])
def test_a_filter_that_is_not_understood_is_refused(text: str) -> None:
    """Rather than everything or nothing."""
    with pytest.raises(ArmError) as caught:
        matching([], text)
    assert caught.value.code == "InvalidFilterInQueryString"


def test_a_region_may_be_written_for_people() -> None:
    """`East US` is eastus."""
    assert check_region("East US", "Microsoft.Compute/disks") == "eastus"


def test_every_route_has_api_versions_and_every_size_a_quota() -> None:
    """The tables fit together."""
    assert {route.resource_type for route in ROUTES} <= KNOWN.keys()
    assert {size.family for size in SIZES.values()} <= DEFAULT_LIMITS.keys()
    assert all(kind.type.lower() == key for key, kind in KINDS.items())


def test_an_unknown_path_is_told_from_an_unknown_method() -> None:
    """404 for the one, 405 for the other."""
    router = Router(ROUTES)
    with pytest.raises(ArmError) as nowhere:
        router.find("GET", "/subscriptions/s/resourceGroups/g/providers/Microsoft.Sql/servers/x")
    with pytest.raises(ArmError) as never:
        router.find("POST", "/subscriptions/s/resourceGroups/g")
    assert (nowhere.value.status, never.value.status) == (404, 405)
