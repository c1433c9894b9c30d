"""The real Azure SDK clients against the emulator, over https with its own certificate authority."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.compute import models as compute_models
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.network import models as network_models
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.resources.models import ResourceGroup

from provisioning.rehearsal import service
from tests.fakes.arm_caller import ArmCaller, Bodies, rehearsal_cloud

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.rehearsal.service import EmulatorHandle

_GROUP = "sdk"


class _Clients:
    def __init__(self, handle: EmulatorHandle) -> None:
        verify = str(handle.ca_file)
        credential = ClientSecretCredential(
            handle.tenant_id,
            handle.client_id,
            handle.client_secret,
            authority=handle.base_url,
            disable_instance_discovery=True,
            connection_verify=verify,
        )
        options: dict[str, Any] = {
            "base_url": handle.base_url,
            "credential_scopes": [f"{handle.base_url}/.default"],
            "connection_verify": verify,
            "polling_interval": 0.1,
        }
        self.compute = ComputeManagementClient(credential, handle.subscription_id, **options)
        self.network = NetworkManagementClient(credential, handle.subscription_id, **options)
        self.resources = ResourceManagementClient(credential, handle.subscription_id, **options)


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArmCaller]:
    """One emulator for this file."""
    with rehearsal_cloud(tmp_path_factory.mktemp("sdk")) as caller:
        yield caller


@pytest.fixture(scope="module")
def clients(caller: ArmCaller) -> _Clients:
    """SDK clients with a group, a network and an interface, all made through them."""
    clients = _Clients(caller.handle)
    clients.resources.resource_groups.create_or_update(_GROUP, ResourceGroup(location="eastus", tags={"a": "b"}))
    network = network_models.VirtualNetwork(Bodies(caller, _GROUP).network())
    made = clients.network.virtual_networks.begin_create_or_update(_GROUP, "net", network).result()
    assert made.properties is not None
    assert made.properties.provisioning_state == "Succeeded"
    nic = Bodies(caller, _GROUP).interface()
    clients.network.network_interfaces.begin_create_or_update(
        _GROUP, "nic", network_models.NetworkInterface(nic)
    ).result()
    return clients


def _machine(caller: ArmCaller) -> compute_models.VirtualMachine:
    return compute_models.VirtualMachine(Bodies(caller, _GROUP).machine())


def test_life_of_a_machine(clients: _Clients, caller: ArmCaller) -> None:
    """Create, read back and put again, look inside, deallocate, delete: every poller ends, every model deserializes."""
    machines = clients.compute.virtual_machines
    made = machines.begin_create_or_update(_GROUP, "vm", _machine(caller)).result()
    assert made.properties is not None
    assert made.properties.provisioning_state == "Succeeded"
    # What GET returned goes back through PUT: the SDK leaves the read-only properties out.
    again = machines.begin_create_or_update(_GROUP, "vm", made).result()
    assert again.etag != made.etag
    assert [machine.name for machine in machines.list(_GROUP)] == ["vm"]
    assert [machine.name for machine in machines.list_all()] == ["vm"]
    machines.begin_deallocate(_GROUP, "vm").result()
    statuses = machines.instance_view(_GROUP, "vm").statuses or []
    assert [status.code for status in statuses] == ["ProvisioningState/succeeded", "PowerState/deallocated"]
    machines.begin_delete(_GROUP, "vm", force_deletion=True).result()
    with pytest.raises(ResourceNotFoundError):
        machines.get(_GROUP, "vm")


def test_a_stale_etag_is_a_412(clients: _Clients, caller: ArmCaller) -> None:
    """If-Match as the SDK sends it."""
    machines = clients.compute.virtual_machines
    machines.begin_create_or_update(_GROUP, "vm", _machine(caller)).result()
    with pytest.raises(ResourceModifiedError):
        machines.begin_create_or_update(
            _GROUP, "vm", _machine(caller), etag='"0"', match_condition=MatchConditions.IfNotModified
        )
    machines.begin_delete(_GROUP, "vm").result()


def test_quota_arrives_as_the_sdk_has_it(clients: _Clients, caller: ArmCaller) -> None:
    """409 becomes ResourceExistsError; only the code tells what it is."""
    body = Bodies(caller, _GROUP).machine(size="Standard_ND96isr_H100_v5")
    with pytest.raises(ResourceExistsError) as caught:
        clients.compute.virtual_machines.begin_create_or_update(_GROUP, "big", compute_models.VirtualMachine(body))
    assert caught.value.error is not None
    assert caught.value.error.code == "OperationNotAllowed"


def test_a_failed_operation_raises_with_status_200(clients: _Clients, caller: ArmCaller) -> None:
    """The poll answered 200; the error is in its body. Asking again for the failed machine makes it."""
    machines = clients.compute.virtual_machines
    error = {"code": "ZonalAllocationFailed", "message": "Allocation failed."}
    service.script_faults(caller.handle, {"method": "PUT", "path": "/virtualMachines/", "operation_error": error})
    with pytest.raises(HttpResponseError) as caught:
        machines.begin_create_or_update(_GROUP, "vm", _machine(caller)).result()
    assert caught.value.status_code == 200
    assert caught.value.error is not None
    assert caught.value.error.code == "ZonalAllocationFailed"
    made = machines.begin_create_or_update(_GROUP, "vm", _machine(caller)).result()
    assert made.properties is not None
    assert made.properties.provisioning_state == "Succeeded"
    machines.begin_delete(_GROUP, "vm").result()


def test_a_group_goes_with_everything(clients: _Clients, caller: ArmCaller) -> None:
    """Location-only deletion is polled to its end; exists is false, get is 404, nothing is listed."""
    groups = clients.resources.resource_groups
    groups.create_or_update("going", ResourceGroup(location="eastus"))
    disk = compute_models.Disk(Bodies(caller, "going").disk())
    clients.compute.disks.begin_create_or_update("going", "data", disk).result()
    assert groups.check_existence("going")
    groups.begin_delete("going").result()
    assert not groups.check_existence("going")
    with pytest.raises(ResourceNotFoundError):
        groups.get("going")
    assert [item.name for item in clients.resources.resources.list() if "/going/" in str(item.id).lower()] == []
