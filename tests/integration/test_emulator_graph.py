"""Resource Graph of the rehearsal cloud: over the wire and through the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

from provisioning.azure.clients import Clients
from provisioning.azure.pipeline import sign_in
from provisioning.rehearsal import service
from provisioning.rehearsal.cloud import rehearsal_endpoint
from tests.fakes.arm_caller import Answer, ArmCaller, Bodies, rehearsal_cloud

if TYPE_CHECKING:
    from collections.abc import Iterator

_DISK = "Microsoft.Compute/disks"
_GROUP, _DISKS = "graph", 5


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArmCaller]:
    """A cloud with a group of disks."""
    with rehearsal_cloud(tmp_path_factory.mktemp("graph")) as caller:
        service.change_settings(caller.handle, graph_queries_per_window=1000)
        bodies = Bodies(caller, _GROUP)
        caller.done("PUT", f"/resourcegroups/{_GROUP}", {"location": "eastus", "tags": {"x": "group"}})
        for number in range(_DISKS):
            body = bodies.disk() | {"tags": {"x": f"disk {number}"}}
            caller.done("PUT", bodies.path(_DISK, f"d{number}"), body)
        yield caller


def _ask(caller: ArmCaller, query: str, **options: object) -> Answer:
    body: dict[str, Any] = {"subscriptions": [caller.handle.subscription_id], "query": query}
    return caller.call("POST", "/providers/Microsoft.ResourceGraph/resources", body | {"options": options})


def test_rows_have_the_columns_of_the_recording(caller: ArmCaller) -> None:
    """Types and group names in lower case, ids as they were made; counts beside the rows."""
    answer = _ask(caller, f"Resources | where type =~ '{_DISK}' | take 1", resultFormat="objectArray")
    assert answer.status == 200
    assert {"x-ms-user-quota-remaining", "x-ms-user-quota-resets-after"} <= answer.headers.keys()
    assert answer.body.keys() == {"totalRecords", "count", "data", "facets", "resultTruncated"}
    row = answer.body["data"][0]
    recorded = (
        "type id sku name kind plan tags location properties resourceGroup subscriptionId managedBy identity zones"
    )
    assert {*recorded.split(), "tenantId"} <= row.keys()
    assert (row["type"], row["resourceGroup"], row["properties"]["diskState"]) == (_DISK.lower(), _GROUP, "Unattached")
    assert f"/providers/{_DISK}/d0" in row["id"]


def test_groups_are_containers(caller: ArmCaller) -> None:
    """A union finds what is tagged, be it a group or in one."""
    text = (
        "ResourceContainers | where type =~ 'microsoft.resources/subscriptions/resourcegroups'"
        " | union Resources | where isnotempty(tags['x']) | project id, x = tostring(tags['x'])"
    )
    assert {row["x"] for row in _ask(caller, text).body["data"]} == {"group", *(f"disk {n}" for n in range(_DISKS))}


def test_pages_go_on_through_the_sdk(caller: ArmCaller) -> None:
    """Each page says how many there are in all, and hands out a token while something is left."""
    endpoint = rehearsal_endpoint(caller.handle)
    clients = Clients(endpoint, caller.handle.subscription_id, sign_in(endpoint))
    names: list[str] = []
    token = None
    while True:
        options = QueryRequestOptions(top=2, skip_token=token)
        request = QueryRequest(query="Resources | project id, name", subscriptions=[caller.handle.subscription_id])
        request.options = options
        answer = clients.graph.resources(request)
        assert (answer.total_records, answer.result_truncated) == (_DISKS, "false")
        names.extend(row["name"] for row in cast("list[dict[str, str]]", answer.data))
        token = answer.skip_token
        if token is None:
            break
    assert sorted(names) == [f"d{number}" for number in range(_DISKS)]
    clients.close()


def test_rows_without_an_id_are_cut_off(caller: ArmCaller) -> None:
    """As Azure does: no token, and it says that something is missing."""
    answer = _ask(caller, "Resources | project name", **{"$top": 2})
    assert (answer.body["resultTruncated"], "$skipToken" in answer.body) == ("true", False)


def test_a_query_that_cannot_be_read_gets_the_recorded_answer(caller: ArmCaller) -> None:
    """400 BadRequest; what is wrong stands in its details."""
    answer = _ask(caller, "project id, location | where where")
    assert (answer.status, answer.code) == (400, "BadRequest")
    assert [each["code"] for each in answer.body["error"]["details"]] == ["InvalidQuery", "ParserFailure"]
    other = {"subscriptions": ["00000000-0000-0000-0000-000000000000"], "query": "Resources"}
    answer = caller.call("POST", "/providers/Microsoft.ResourceGraph/resources", other)
    assert answer.body["error"]["details"][0]["code"] == "NoValidSubscriptionsInQueryRequest"


def test_changes_are_heard_of_late(caller: ArmCaller) -> None:
    """With a lag, what was just made is not found yet, and what was just deleted still is."""
    path = Bodies(caller, _GROUP).path(_DISK, "late")
    service.change_settings(caller.handle, graph_lag_seconds=500)
    query = "Resources | where name == 'late'"
    try:
        before = _ask(caller, "Resources").body["totalRecords"]
        caller.done("PUT", path, Bodies(caller, _GROUP).disk())
        assert _ask(caller, query).body["count"] == 0
        service.change_settings(caller.handle, graph_lag_seconds=0)
        assert _ask(caller, query).body["count"] == 1
        caller.done("DELETE", path)
        assert _ask(caller, query).body["count"] == 0
        service.change_settings(caller.handle, graph_lag_seconds=500)
        assert _ask(caller, "Resources").body["totalRecords"] == before
    finally:
        service.change_settings(caller.handle, graph_lag_seconds=0)


def test_too_many_queries_are_refused(caller: ArmCaller) -> None:
    """429 with when to come back."""
    service.change_settings(caller.handle, graph_queries_per_window=0)
    try:
        answer = _ask(caller, "Resources | take 1")
    finally:
        service.change_settings(caller.handle, graph_queries_per_window=1000)
    assert (answer.status, answer.code) == (429, "RateLimiting")
    assert 1 <= int(answer.headers["retry-after"]) <= 5
