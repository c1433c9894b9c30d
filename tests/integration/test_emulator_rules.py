"""What the rehearsal cloud refuses, with ARM's codes; and what it deletes together."""

from __future__ import annotations

import base64
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from provisioning.rehearsal import service
from tests.fakes.arm_caller import ArmCaller, Bodies, rehearsal_cloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NET, _NSG = "Microsoft.Network/virtualNetworks", "Microsoft.Network/networkSecurityGroups"
_PIP, _NIC = "Microsoft.Network/publicIPAddresses", "Microsoft.Network/networkInterfaces"
_DISK, _VM = "Microsoft.Compute/disks", "Microsoft.Compute/virtualMachines"
_SCHEDULE = "Microsoft.DevTestLab/schedules"


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArmCaller]:
    """One emulator for this file; every test works in a group of its own."""
    with rehearsal_cloud(tmp_path_factory.mktemp("rules")) as caller:
        yield caller


@pytest.fixture
def bodies(caller: ArmCaller) -> Iterator[Bodies]:
    """A new group with a network, a security group, an address, a disk and an interface."""
    service.script_faults(caller.handle)
    group = f"rules-{uuid.uuid4().hex[:8]}"
    bodies = Bodies(caller, group)
    caller.done("PUT", bodies.group_path, {"location": "eastus"})
    caller.done("PUT", bodies.path(_NET, "net"), bodies.network())
    caller.done("PUT", bodies.path(_NSG, "nsg"), bodies.security_group())
    caller.done("PUT", bodies.path(_PIP, "ip"), bodies.address())
    caller.done("PUT", bodies.path(_DISK, "data"), bodies.disk())
    nic = bodies.interface(address="ip", delete_address=True)
    nic["properties"]["networkSecurityGroup"] = {"id": bodies.id(_NSG, "nsg")}
    caller.done("PUT", bodies.path(_NIC, "nic"), nic)
    yield bodies
    service.script_faults(caller.handle)
    caller.done("DELETE", bodies.group_path)


def _names(caller: ArmCaller, bodies: Bodies) -> set[str]:
    listed = caller.call("GET", f"{bodies.group_path}/resources").body["value"]
    return {item["name"] for item in listed}


def test_a_call_without_a_token_is_told_where_to_sign_in(caller: ArmCaller) -> None:
    """401 with a challenge; a forged token is InvalidAuthenticationToken."""
    target = f"{caller.root}?api-version=2022-12-01"
    nobody = caller.raw("GET", target, None, {})
    forged = caller.raw("GET", target, None, {"Authorization": "Bearer a.b.c"})
    assert (nobody.status, nobody.code) == (401, "AuthenticationFailed")
    assert (forged.status, forged.code) == (401, "InvalidAuthenticationToken")
    assert forged.headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("", "MissingApiVersionParameter"),
        ("newest", "InvalidApiVersionParameter"),
        ("1999-01-01", "NoRegisteredProviderFound"),
    ],
)
def test_api_version_is_required_and_known(caller: ArmCaller, bodies: Bodies, version: str, code: str) -> None:
    """A missing, malformed or unknown api-version is a 400 of its own."""
    answer = caller.call("GET", bodies.path(_VM, "vm"), api_version=version)
    assert (answer.status, answer.code) == (400, code)


def test_paths_are_matched_without_case(caller: ArmCaller, bodies: Bodies) -> None:
    """ARM does not tell /RESOURCEGROUPS/ from /resourcegroups/; the answer keeps the case of the creation."""
    answer = caller.call("GET", bodies.path(_DISK, "data").upper())
    assert answer.body["id"] == bodies.id(_DISK, "data")


def test_another_subscription_is_not_found(caller: ArmCaller) -> None:
    """There is one subscription; any other is SubscriptionNotFound."""
    answer = caller.call("GET", f"/subscriptions/{uuid.uuid4()}/resourceGroups")
    assert (answer.status, answer.code) == (404, "SubscriptionNotFound")


Change = "Callable[[dict[str, Any], Bodies], object]"
_REFUSED_MACHINES: list[tuple[str, Callable[[dict[str, Any], Bodies], object], int, str]] = [
    (
        "unknown size",
        lambda b, _: b["properties"]["hardwareProfile"].update(vmSize="Standard_X1"),
        400,
        "InvalidParameter",
    ),
    (
        "size of other regions",
        lambda b, _: (
            b.update(location="northcentralus"),
            b["properties"]["hardwareProfile"].update(vmSize="Standard_ND96isr_H100_v5"),
        ),
        409,
        "SkuNotAvailable",
    ),
    (
        "quota zero",
        lambda b, _: b["properties"]["hardwareProfile"].update(vmSize="Standard_ND96isr_H100_v5"),
        409,
        "OperationNotAllowed",
    ),
    (
        "spot words on demand",
        lambda b, _: b["properties"].update(evictionPolicy="Deallocate"),
        409,
        "EvictionPolicyCanBeSetOnlyOnAzureSpotVirtualMachines",
    ),
    (
        "spot where there is none",
        lambda b, _: (
            b["properties"].update(priority="Spot"),
            b["properties"]["hardwareProfile"].update(vmSize="Standard_B2s"),
        ),
        409,
        "AzureSpotIsNotSupportedForThisVMSize",
    ),
    (
        "root as administrator",
        lambda b, _: b["properties"]["osProfile"].update(adminUsername="root"),
        400,
        "InvalidParameter",
    ),
    (
        "too much custom data",
        lambda b, _: b["properties"]["osProfile"].update(customData=base64.b64encode(b"x" * 65_536).decode()),
        400,
        "InvalidParameter",
    ),
    (
        "custom data that is no base64",
        lambda b, _: b["properties"]["osProfile"].update(customData="#cloud-config"),
        400,
        "InvalidParameter",
    ),
    (
        "no key and no password",
        lambda b, _: b["properties"]["osProfile"]["linuxConfiguration"].update(ssh={}),
        400,
        "InvalidParameter",
    ),
    (
        "no interface",
        lambda b, _: b["properties"]["networkProfile"].update(networkInterfaces=[]),
        400,
        "InvalidParameter",
    ),
    (
        "interface that does not exist",
        lambda b, k: b["properties"]["networkProfile"].update(networkInterfaces=[{"id": k.id(_NIC, "other")}]),
        404,
        "NotFound",
    ),
    (
        "image that does not exist",
        lambda b, _: b["properties"]["storageProfile"]["imageReference"].update(sku="9999"),
        404,
        "PlatformImageNotFound",
    ),
    ("zone of a disk without", lambda b, _: b.update(zones=["1"]), 400, "BadRequest"),
    ("zone that no region has", lambda b, _: b.update(zones=["7"]), 400, "AvailabilityZoneNotSupported"),
    (
        "region that does not exist",
        lambda b, _: b.update(location="atlantis"),
        400,
        "LocationNotAvailableForResourceType",
    ),
    ("misspelt property", lambda b, _: b["properties"].update(hardwareprofil={}), 400, "BadRequest"),
    ("read-only property", lambda b, _: b["properties"].update(vmId="1"), 400, "InvalidParameter"),
]


@pytest.mark.parametrize(
    ("change", "status", "code"), [row[1:] for row in _REFUSED_MACHINES], ids=[row[0] for row in _REFUSED_MACHINES]
)
def test_refuses_a_machine(
    caller: ArmCaller, bodies: Bodies, change: Callable[[dict[str, Any], Bodies], object], status: int, code: str
) -> None:
    """Each wrong machine is refused synchronously with ARM's code, and nothing is created."""
    body = bodies.machine(data_disk="data")
    change(body, bodies)
    answer = caller.call("PUT", bodies.path(_VM, "vm"), body)
    assert (answer.status, answer.code) == (status, code)
    assert caller.call("GET", bodies.path(_VM, "vm")).status == 404


def test_quota_refusal_names_the_numbers(caller: ArmCaller, bodies: Bodies) -> None:
    """Limit, usage and need stand in the text, as people parse them from the real one."""
    body = bodies.machine(size="Standard_NC96ads_A100_v4")
    service.change_settings(caller.handle, quota_limits={"StandardNCADSA100v4Family": 48})
    answer = caller.call("PUT", bodies.path(_VM, "vm"), body)
    service.change_settings(caller.handle, quota_limits={})
    message = answer.body["error"]["message"]
    assert "exceeding approved StandardNCADSA100v4Family Cores quota" in message
    assert "Current Limit: 48, Current Usage: 0, Additional Required: 96, (Minimum) New Limit Required: 96" in message


def test_restricted_size_is_refused(caller: ArmCaller, bodies: Bodies) -> None:
    """What the list of sizes calls restricted cannot be had: everywhere, or in a zone that is named."""
    size = "Standard_D2s_v5"
    for zones, wanted in (([], []), (["2"], ["2"])):
        body = {**bodies.machine(size=size), "zones": wanted}
        service.change_settings(caller.handle, size_restrictions=[{"size": size, "region": "eastus", "zones": zones}])
        answer = caller.call("PUT", bodies.path(_VM, "vm"), body)
        service.change_settings(caller.handle, size_restrictions=[])
        assert (answer.status, answer.code) == (409, "SkuNotAvailable")


def test_spot_below_the_price_is_refused(caller: ArmCaller, bodies: Bodies) -> None:
    """A machine that may cost less than spot costs now is not made."""
    body = bodies.machine(size="Standard_D2s_v5")
    body["properties"] |= {"priority": "Spot", "billingProfile": {"maxPrice": 0.01}}
    answer = caller.call("PUT", bodies.path(_VM, "vm"), body)
    assert (answer.status, answer.code) == (409, "SpotPriceGreaterThanProvidedMaxPrice")
    assert "'0.01 USD' is lower than the current spot price '0.0192 USD'" in answer.body["error"]["message"]


def test_reader_may_look_and_nothing_else(caller: ArmCaller, bodies: Bodies) -> None:
    """The signed-in user has a role like any other principal; its permissions are what the cloud obeys."""
    service.change_settings(caller.handle, caller_role="Reader")
    put, get = (caller.call(verb, bodies.path(_DISK, "data"), bodies.disk()) for verb in ("PUT", "GET"))
    register = caller.call("POST", "/providers/Microsoft.Compute/register")
    given = caller.call("GET", "/providers/Microsoft.Authorization/permissions").body["value"]
    service.change_settings(caller.handle, caller_role="Owner")
    assert (put.status, put.code, get.status, register.status) == (403, "AuthorizationFailed", 200, 403)
    assert "'Microsoft.Compute/disks/write'" in put.body["error"]["message"]
    assert given == [{"actions": ["*/read"], "notActions": [], "dataActions": [], "notDataActions": []}]


def test_what_is_in_use_cannot_be_deleted(caller: ArmCaller, bodies: Bodies) -> None:
    """Order matters: interface, then address, then network and security group."""
    refused = {
        kind: caller.call("DELETE", bodies.path(kind, name)).code
        for kind, name in ((_PIP, "ip"), (_NET, "net"), (_NSG, "nsg"), (_NET, "net/subnets/machines"))
    }
    assert refused == {
        _PIP: "PublicIPAddressCannotBeDeleted",
        _NET: "InUseSubnetCannotBeDeleted",
        _NSG: "InUseNetworkSecurityGroupCannotBeDeleted",
    }
    caller.done("DELETE", bodies.path(_NIC, "nic"))
    for kind, name in ((_PIP, "ip"), (_NET, "net"), (_NSG, "nsg")):
        caller.done("DELETE", bodies.path(kind, name))


def test_basic_addresses_are_retired(caller: ArmCaller, bodies: Bodies) -> None:
    """A body without a sku asks for a Basic address, which Azure no longer makes."""
    answer = caller.call("PUT", bodies.path(_PIP, "old"), {"location": "eastus"})
    assert (answer.status, answer.code) == (400, "BasicSkuPublicIpCreationNotAllowed")


def test_reference_to_nothing_is_invalid(caller: ArmCaller, bodies: Bodies) -> None:
    """An interface on a subnet that does not exist is refused."""
    body = bodies.interface()
    body["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"] += "-missing"
    answer = caller.call("PUT", bodies.path(_NIC, "second"), body)
    assert (answer.status, answer.code) == (400, "InvalidResourceReference")


def test_a_network_body_is_refused_in_the_network_providers_words(caller: ArmCaller, bodies: Bodies) -> None:
    """InvalidRequestFormat with the parser's complaint inside."""
    answer = caller.call("PUT", bodies.path(_NIC, "second"), {"location": "eastus", "propertis": {}})
    assert (answer.status, answer.code) == (400, "InvalidRequestFormat")
    assert "Could not find member 'propertis'" in answer.body["error"]["details"][0]["message"]


def test_default_is_to_leak(caller: ArmCaller, bodies: Bodies) -> None:
    """Without deleteOption a deleted machine leaves its OS disk, its interface and its address behind."""
    caller.done("PUT", bodies.path(_VM, "vm"), bodies.machine(data_disk="data"))
    caller.done("DELETE", bodies.path(_VM, "vm"))
    assert _names(caller, bodies) == {"net", "nsg", "ip", "data", "nic", "os"}


def test_delete_option_takes_disk_interface_and_address(caller: ArmCaller, bodies: Bodies) -> None:
    """With deleteOption Delete they go with the machine; the data disk, Detach, stays."""
    body = bodies.machine(data_disk="data", interface_option="Delete")
    body["properties"]["storageProfile"]["osDisk"]["deleteOption"] = "Delete"
    caller.done("PUT", bodies.path(_VM, "vm"), body)
    caller.done("DELETE", bodies.path(_VM, "vm"))
    assert _names(caller, bodies) == {"net", "nsg", "data"}


def test_life_of_a_machine(caller: ArmCaller, bodies: Bodies) -> None:
    """Power states, disk states, secrets kept, immutable properties, and a port that answers only while it runs."""
    path, body = bodies.path(_VM, "vm"), bodies.machine(data_disk="data")
    caller.done("PUT", path, body)
    address = caller.call("GET", bodies.path(_PIP, "ip")).body["properties"]["ipAddress"]
    assert service.machine_port(caller.handle, address) > 0
    assert _power(caller, path) == "PowerState/running"
    shown = caller.call("GET", path).body
    assert "customData" not in shown["properties"]["osProfile"]
    disk = caller.call("GET", bodies.path(_DISK, "data")).body
    assert (disk["managedBy"], disk["properties"]["diskState"]) == (shown["id"], "Attached")
    assert caller.call("DELETE", bodies.path(_DISK, "data")).code == "OperationNotAllowed"
    assert caller.call("DELETE", bodies.path(_NIC, "nic")).code == "NicInUse"
    changed = caller.call("PUT", path, {**body, "zones": ["2"]})
    assert (changed.status, changed.code) == (409, "PropertyChangeNotAllowed")
    caller.done("POST", f"{path}/deallocate")
    assert _power(caller, path) == "PowerState/deallocated"
    assert caller.call("GET", bodies.path(_DISK, "data")).body["properties"]["diskState"] == "Reserved"


def _power(caller: ArmCaller, path: str) -> str:
    statuses = caller.call("GET", f"{path}/instanceView").body["statuses"]
    return str(statuses[1]["code"])


def test_group_going_away_takes_no_more(caller: ArmCaller, bodies: Bodies) -> None:
    """While a group is being deleted, creating into it is ResourceGroupBeingDeleted and GET says Deleting."""
    slow = {"method": "DELETE", "path": f"{bodies.group_path}$", "operation_delay_seconds": 0.5}
    service.script_faults(caller.handle, slow)
    answer = caller.call("DELETE", bodies.group_path)
    assert caller.call("GET", bodies.group_path).body["properties"]["provisioningState"] == "Deleting"
    refused = caller.call("PUT", bodies.path(_DISK, "late"), bodies.disk())
    assert (refused.status, refused.code) == (409, "ResourceGroupBeingDeleted")
    assert caller.wait(answer).status == 200
    assert caller.call("HEAD", bodies.group_path).status == 404
    caller.done("PUT", bodies.group_path, {"location": "eastus"})


def test_group_deletion_is_blocked_by_a_user_elsewhere(caller: ArmCaller, bodies: Bodies) -> None:
    """A group whose network is used from another group survives; the poll answers 409."""
    other = Bodies(caller, f"{bodies.group_path.rpartition('/')[2]}-other")
    caller.done("PUT", other.group_path, {"location": "eastus"})
    caller.done("PUT", other.path(_NIC, "guest"), bodies.interface())
    blocked = caller.wait(caller.call("DELETE", bodies.group_path))
    assert (blocked.status, blocked.code) == (409, "ResourceGroupDeletionBlocked")
    assert caller.call("GET", bodies.group_path).body["properties"]["provisioningState"] == "Succeeded"
    caller.done("DELETE", other.group_path)


def test_operation_urls_are_followed_verbatim_or_not_at_all(caller: ArmCaller, bodies: Bodies) -> None:
    """An operation URL without its signature is refused."""
    answer = caller.call("PUT", bodies.path(_NET, "second"), bodies.network())
    url = answer.headers["azure-asyncoperation"]
    assert len(url) > 1000
    rebuilt = caller.follow(url.partition("&")[0])
    assert (rebuilt.status, rebuilt.code) == (403, "AuthorizationFailed")
    caller.wait(answer)


def test_tags_find_resources_across_groups(caller: ArmCaller, bodies: Bodies) -> None:
    """The list by tag finds what carries it and then leaves the tags out of its answer, as ARM does."""
    value = uuid.uuid4().hex
    caller.done("PUT", bodies.path(_DISK, "tagged"), {**bodies.disk(), "tags": {"llamalift-run": value}})
    text = f"tagName eq 'llamalift-run' and tagValue eq '{value}'"
    found = caller.call("GET", "/resources", filter=text).body["value"]
    assert [item["name"] for item in found] == ["tagged"]
    assert "tags" not in found[0]


def test_schedule_needs_its_provider_and_its_name(caller: ArmCaller, bodies: Bodies) -> None:
    """MissingSubscriptionRegistration until DevTestLab is registered; then the name must follow the machine's."""
    vm_id = bodies.id(_VM, "vm")
    properties = {"taskType": "ComputeVmShutdownTask", "dailyRecurrence": {"time": "1900"}, "targetResourceId": vm_id}
    body = {"location": "eastus", "properties": properties}
    caller.call("POST", "/providers/Microsoft.DevTestLab/unregister")
    early = caller.call("PUT", bodies.path(_SCHEDULE, "shutdown-computevm-vm"), body)
    assert (early.status, early.code) == (409, "MissingSubscriptionRegistration")
    assert caller.call("POST", "/providers/Microsoft.DevTestLab/register").status == 200
    assert caller.call("GET", "/providers/Microsoft.DevTestLab").body["registrationState"] == "Registered"
    assert caller.call("PUT", bodies.path(_SCHEDULE, "nightly"), body).status == 400
    assert caller.call("PUT", bodies.path(_SCHEDULE, "shutdown-computevm-vm"), body).status == 201


def test_image_versions_newest_first(caller: ArmCaller) -> None:
    """$orderby and $top work as the SDK sends them."""
    image = "publishers/microsoft-dsvm/artifacttypes/vmimage/offers/ubuntu-hpc/skus/2404/versions"
    path = f"/providers/Microsoft.Compute/locations/eastus/{image}"
    answer = caller.call("GET", path, top="1", orderby="name desc")
    every = [item["name"] for item in caller.call("GET", path).body]
    assert [item["name"] for item in answer.body] == [max(every)]


def test_locks_forbid_what_they_say(caller: ArmCaller, bodies: Bodies) -> None:
    """`CanNotDelete` holds the resource and the group around it, nothing beside it; `ReadOnly` also holds writes."""
    lock = f"{bodies.path(_DISK, 'data')}/providers/Microsoft.Authorization/locks/keep"
    disk = bodies.disk() | {"tags": {"a": "b"}}
    assert caller.call("PUT", lock, {"properties": {"level": "Never"}}).code == "LockLevelNotValid"
    caller.done("PUT", lock, {"properties": {"level": "CanNotDelete"}})
    for path in (bodies.path(_DISK, "data"), bodies.group_path):
        answer = caller.call("DELETE", path)
        assert (answer.status, answer.code) == (409, "ScopeLocked")
    caller.done("PUT", bodies.path(_DISK, "data"), disk)
    caller.done("DELETE", bodies.path(_NIC, "nic"))
    caller.done("PUT", lock, {"properties": {"level": "ReadOnly"}})
    assert caller.call("PUT", bodies.path(_DISK, "data"), disk).code == "ScopeLocked"
    assert caller.call("GET", bodies.path(_DISK, "data")).status == 200
    caller.done("DELETE", lock)
    assert caller.call("DELETE", lock).status == 204
