"""The bodies that Azure gets: reviewed as JSON, and checked against the SDK's own models."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from syrupy.extensions.json import JSONSnapshotExtension

from provisioning.azure.builder import Builder
from provisioning.azure.clients import Clients
from provisioning.azure.endpoint import azure_endpoint
from provisioning.azure.extras import extras_of
from provisioning.azure.naming import TYPES
from provisioning.azure.operations import Operations
from provisioning.azure.pipeline import sign_in
from provisioning.azure.request_models import check_body
from provisioning.azure.stack import Stack
from provisioning.azure.virtual_machine import LARGEST_CUSTOM_DATA_BYTES, VirtualMachine
from provisioning.errors import RequestRefusedError
from provisioning.types import MachineRequest, ResourceKind
from tests.fakes.azure_samples import NAMES, ON_DEMAND, SPOT_IN_ZONE_2, WITH_BACKSTOP
from tests.fakes.ledgers import MemoryLedger
from tests.fakes.rehearsed import silent

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

REQUESTS = {"on-demand": ON_DEMAND, "spot-in-zone-2": SPOT_IN_ZONE_2}


@pytest.fixture
def json_snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Snapshots as one JSON file each, to be read like Azure's own documentation."""
    return snapshot.use_extension(JSONSnapshotExtension)


def bodies(request: MachineRequest) -> dict[ResourceKind, dict[str, Any]]:
    """Every body of a request."""
    stack = Stack.of(request, NAMES)
    return {one.kind: one.body() for one in [stack.group, *(resource for resource, _ in stack.in_order())]}


@pytest.mark.parametrize("request_name", REQUESTS)
def test_bodies_are_the_reviewed_ones(request_name: str, json_snapshot: SnapshotAssertion) -> None:
    """What is sent for each resource is exactly what was reviewed."""
    assert {str(kind): body for kind, body in bodies(REQUESTS[request_name]).items()} == json_snapshot


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("kind", [ResourceKind.RESOURCE_GROUP, *(one for one in TYPES if one in bodies(ON_DEMAND))])
def test_bodies_are_sound_to_the_sdk(request_name: str, kind: ResourceKind) -> None:
    """No body has a key that the SDK's models do not know, a value of another type, or a required value missing."""
    resource_type = TYPES.get(kind, "Microsoft.Resources/resourceGroups")
    assert check_body("PUT", resource_type, bodies(REQUESTS[request_name])[kind]) == []


def test_extras_are_the_reviewed_ones(json_snapshot: SnapshotAssertion) -> None:
    """The role assignment and the auto-shutdown are exactly what was reviewed."""
    extras = extras_of(WITH_BACKSTOP, NAMES, "11111111-2222-3333-4444-555555555555")
    assert {extra.resource_id: extra.body() for extra in extras} == json_snapshot


def test_no_extras_without_need() -> None:
    """Without an identity and a deadline nothing extra is asked for."""
    assert extras_of(ON_DEMAND, NAMES, "") == []


def test_only_the_workspace_disk_outlives_the_machine() -> None:
    """Deleting the machine takes its disk, interface and address, and leaves the workspace."""
    all_bodies = bodies(ON_DEMAND)
    machine = all_bodies[ResourceKind.VIRTUAL_MACHINE]["properties"]
    interface = all_bodies[ResourceKind.NETWORK_INTERFACE]["properties"]
    assert machine["storageProfile"]["osDisk"]["deleteOption"] == "Delete"
    assert machine["networkProfile"]["networkInterfaces"][0]["properties"]["deleteOption"] == "Delete"
    address = interface["ipConfigurations"][0]["properties"]["publicIPAddress"]
    assert address["properties"]["deleteOption"] == "Delete"
    assert [disk["deleteOption"] for disk in machine["storageProfile"]["dataDisks"]] == ["Detach"]


def test_every_resource_says_whose_it_is() -> None:
    """The run's tag is on every resource, whatever tags the request has."""
    assert {body["tags"]["llamalift-run"] for body in bodies(replace(ON_DEMAND, tags={})).values()} == {NAMES.run_id}


def test_too_much_custom_data_is_refused_before_azure_does() -> None:
    """A machine whose first instructions are larger than Azure takes is never asked for."""
    largest = replace(ON_DEMAND, custom_data=b"x" * LARGEST_CUSTOM_DATA_BYTES)
    assert VirtualMachine(largest, NAMES).body()
    with pytest.raises(RequestRefusedError, match="65,536"):
        VirtualMachine(replace(largest, custom_data=largest.custom_data + b"x"), NAMES).body()


def test_zones_that_azure_gives_an_address_by_itself_are_no_difference() -> None:
    """An address asked for without a zone spans all of them, and Azure may say so: `resume` must not stumble."""
    endpoint = azure_endpoint(None)
    clients = Clients(endpoint, NAMES.subscription_id, sign_in(endpoint))
    ledger = MemoryLedger()
    address = Stack.of(ON_DEMAND, NAMES).public_ip
    Builder(Operations(clients), ledger, silent).accept(address, {**address.body(), "zones": ["1", "2", "3"]})
    assert ledger.lines == [("created", ResourceKind.PUBLIC_IP)]
    clients.close()
