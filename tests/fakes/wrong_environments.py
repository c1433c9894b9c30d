"""Environments in which no run can work, each wrong in its own way: the account, the cloud, the network."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from provisioning.azure.cloud import AzureCloud
from provisioning.rehearsal.cloud import rehearsal_endpoint
from tests.fakes.rehearsed import RUN_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provisioning.rehearsal.service import EmulatorHandle

    Json = dict[str, Any]

_TOKEN = "/oauth2/v2.0/token$"
_SUBSCRIPTION = "^/subscriptions/[^/]+$"
_GROUP = "/resourcegroups/[^/]+$"
_MACHINE = "/virtualMachines/[^/]+$"


@dataclass(frozen=True, slots=True)
class WrongEnvironment:
    """What is wrong around a run whose file is right.

    Attributes:
        faults: What the cloud answers.
        changes: What of the run file is replaced by what.
        call: What is done instead of `llamalift up run.yaml`.
        variables: Environment variables; an empty value takes one away.
    """

    faults: tuple[Json, ...] = ()
    changes: Mapping[str, str] = field(default_factory=dict)
    call: Callable[[EmulatorHandle], object] | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


def refused(status: int, code: str, message: str, *, at: str, method: str = "PUT", **more: Any) -> WrongEnvironment:  # noqa: ANN401  (JSON)
    """Every call to `at` is answered with an ARM error."""
    body = {"error": {"code": code, "message": message, **more.pop("inner", {})}}
    return WrongEnvironment(({"method": method, "path": at, "count": 0, "status": status, "body": body, **more},))


def sign_in_refused(status: int, error: str, description: str) -> WrongEnvironment:
    """The sign-in service refuses, in its own form."""
    body = {"error": error, "error_description": description, "error_codes": [], "trace_id": ""}
    return WrongEnvironment(({"method": "POST", "path": _TOKEN, "count": 0, "status": status, "body": body},))


def no_room(code: str, message: str) -> WrongEnvironment:
    """The machine's creation begins and fails."""
    error = {"code": code, "message": message}
    return WrongEnvironment(({"method": "PUT", "path": _MACHINE, "count": 0, "operation_error": error},))


def quota(what: str, **changes: int) -> WrongEnvironment:
    """A limit is too small, in Azure's words."""
    numbers = {"limit": 10, "used": 8, "needed": 4, "total": 12, **changes}
    message = (
        f"Operation could not be completed as it results in exceeding approved {what} quota. Additional details - "
        "Deployment Model: Resource Manager, Location: eastus, Current Limit: {limit}, Current Usage: {used}, "
        "Additional Required: {needed}, (Minimum) New Limit Required: {total}. Setup Alerts when Quota reaches "
        "threshold."
    ).format(**numbers)
    return refused(409, "OperationNotAllowed", message, at=_MACHINE)


def account(**changed: Any) -> Callable[[EmulatorHandle], object]:  # noqa: ANN401  (an endpoint's attributes)
    """Sign in where something of the endpoint is not as it should be."""
    return lambda handle: AzureCloud(replace(rehearsal_endpoint(handle), **changed)).account()


def _without_subscription(subscriptions: list[Json]) -> WrongEnvironment:
    fault = {"method": "GET", "path": "^/subscriptions$", "count": 0, "status": 200, "body": {"value": subscriptions}}
    return WrongEnvironment((fault,), call=account(subscription_id=None), variables={"AZURE_SUBSCRIPTION_ID": ""})


def _subscription(number: int, name: str, state: str) -> Json:
    return {"subscriptionId": f"00000000-0000-0000-0000-00000000000{number}", "displayName": name, "state": state}


def _azure_without_sign_in(_handle: EmulatorHandle) -> object:
    from provisioning.azure.endpoint import azure_endpoint

    return AzureCloud(azure_endpoint(None)).account()


def _locked_down(handle: EmulatorHandle) -> object:
    from tests.fakes.ledgers import MemoryLedger
    from tests.fakes.rehearsed import machine_request, silent

    cloud = AzureCloud(rehearsal_endpoint(handle))
    request, ledger = machine_request(cloud), MemoryLedger()
    cloud._open().resources.resource_groups.create_or_update(
        f"llamalift-{RUN_ID}", {"location": request.region, "tags": {"llamalift-run": RUN_ID}}
    )
    return cloud.destroy(RUN_ID, [], ledger, silent)


_RESET = {"method": "*", "path": "^/subscriptions/", "count": 0, "drop": True}

WRONG_ENVIRONMENTS: dict[str, WrongEnvironment] = {
    # Signing in
    "the secret has expired": sign_in_refused(
        401, "invalid_client", "AADSTS7000222: The provided client secret keys for app 'llamalift' are expired."
    ),
    "a wrong secret": sign_in_refused(
        401, "invalid_client", "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent is right."
    ),
    "an application of another tenant": sign_in_refused(
        400, "unauthorized_client", "AADSTS700016: Application with identifier 'llamalift' was not found."
    ),
    "an unknown tenant": sign_in_refused(400, "invalid_tenant", "AADSTS90002: Tenant 'example.org' not found."),
    "a second factor is asked for": sign_in_refused(
        400, "interaction_required", "AADSTS50076: You must use multi-factor authentication to access this."
    ),
    "the application is switched off": sign_in_refused(
        401, "unauthorized_client", "AADSTS7000112: Application 'llamalift' is disabled."
    ),
    "the sign-in service has a bad day": WrongEnvironment(
        ({"method": "POST", "path": _TOKEN, "count": 0, "status": 503, "body": {"error": "temporarily_unavailable"}},)
    ),
    "the session is over": refused(
        401, "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time.",
        at=_SUBSCRIPTION, method="GET",
    ),
    "a token of another tenant": refused(
        401, "InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer.",
        at=_SUBSCRIPTION, method="GET",
    ),
    "nobody is signed in": WrongEnvironment(
        call=_azure_without_sign_in, variables={"AZURE_TOKEN_CREDENTIALS": "AzureCliCredential", "PATH": "/nowhere"}
    ),
    "this computer's clock is wrong": refused(
        401, "InvalidAuthenticationToken", "The access token is not yet valid.", at=_SUBSCRIPTION, method="GET",
        headers={"Date": "Thu, 01 Jan 2026 00:00:00 GMT"},
    ),
    # Who pays
    "an unknown subscription": WrongEnvironment(call=account(subscription_id="00000000-0000-0000-0000-000000000000")),
    "a subscription id that is none": refused(
        400, "InvalidSubscriptionId", "The provided subscription identifier 'mine' is malformed or invalid.",
        at=_SUBSCRIPTION, method="GET",
    ),
    "a disabled subscription": WrongEnvironment(
        (
            {
                "method": "GET", "path": _SUBSCRIPTION, "count": 0, "status": 200,
                "body": _subscription(1, "old", "Disabled"),
            },
        )
    ),
    "a subscription that may only be read": refused(
        409, "ReadOnlyDisabledSubscription", "The subscription is disabled and therefore marked as read only.",
        at=_GROUP,
    ),
    "several subscriptions": _without_subscription(
        [_subscription(1, "research", "Enabled"), _subscription(2, "teaching", "Enabled")]
    ),
    "no subscription": _without_subscription([]),
    "only dead subscriptions": _without_subscription([_subscription(1, "old", "Disabled")]),
    # What one may
    "only a reader": refused(
        403, "AuthorizationFailed",
        "The client 'ada' with object id '1' does not have authorization to perform action "
        "'Microsoft.Resources/subscriptions/resourcegroups/write' over scope '/subscriptions/1'.",
        at=_GROUP,
    ),
    "may not look": refused(
        403, "AuthorizationFailed",
        "The client 'ada' with object id '1' does not have authorization to perform action "
        "'Microsoft.Resources/subscriptions/read' over scope '/subscriptions/1'.",
        at=_SUBSCRIPTION, method="GET",
    ),
    "a policy asks for a tag": refused(
        403, "RequestDisallowedByPolicy", "Resource 'g' was disallowed by policy. Reasons: 'cost-centre is missing'.",
        at=_GROUP,
    ),
    "a policy forbids public addresses": refused(
        403, "RequestDisallowedByPolicy", "Resource 'ip' was disallowed by policy 'no public addresses'.",
        at="/publicIPAddresses/[^/]+$",
    ),
    "a region that the offer has not": refused(
        403, "RequestDisallowedByAzure", "Resource 'vm' was disallowed by Azure: This policy maintains a set of best "
        "available regions where your subscription can deploy resources.", at=_MACHINE,
    ),
    "a linked resource that is not ours": refused(
        403, "LinkedAuthorizationFailed", "The client has permission to perform action on the scope; however, it does "
        "not have permission to perform action(s) 'join/action' on the linked scope(s).",
        at="/networkInterfaces/[^/]+$",
    ),
    "a provider that may not be registered": WrongEnvironment(
        (
            *refused(
                409, "MissingSubscriptionRegistration",
                "The subscription is not registered to use namespace 'Microsoft.Compute'.", at="/disks/[^/]+$",
            ).faults,
            *refused(
                403, "AuthorizationFailed", "The client does not have authorization to perform action "
                "'Microsoft.Compute/register/action'.", at="/register$", method="POST",
            ).faults,
        )
    ),
    # Room and limits
    "no quota for the family": quota("standardNCADSA100v4Family Cores"),
    "no quota in the region": quota("Total Regional Cores"),
    "no quota for spot": quota("LowPriorityCores", limit=3, used=0, needed=2, total=2),
    "too many addresses": refused(
        400, "PublicIPCountLimitReached", "Cannot create more than 10 public IP addresses for this subscription in "
        "this region.", at="/publicIPAddresses/[^/]+$",
    ),
    "the size is not in the region": refused(
        409, "SkuNotAvailable", "The requested VM size for resource 'Following SKUs have failed for Capacity "
        "Restrictions: Standard_D2s_v5' is currently not available in location 'eastus'.", at=_MACHINE,
    ),
    "an unknown size": refused(
        400, "InvalidParameter", "The value Standard_D2s_v5 provided for the VM size is not valid. The valid sizes in "
        "the current region are: Standard_B1ls.", at=_MACHINE, inner={"target": "vmSize"},
    ),
    "the size is full": no_room("AllocationFailed", "Allocation failed. We do not have sufficient capacity."),
    "the zone is full": no_room("ZonalAllocationFailed", "Allocation failed in the requested zone."),
    "too many wishes at once": no_room("OverconstrainedAllocationRequest", "The VM cannot be allocated as asked."),
    "too many wishes for a zone": no_room("OverconstrainedZonalAllocationRequest", "No such VM in the zone."),
    "the image does not boot": no_room("OSProvisioningTimedOut", "OS Provisioning for VM did not finish in time."),
    "an unknown region": WrongEnvironment(changes={"regions: [eastus]": "regions: [moonbase]"}),
    "an unknown image": WrongEnvironment(changes={"  processes: 2": "  processes: 2\n  image: nobody:nothing:0:1"}),
    "an image that is gone": refused(
        404, "PlatformImageNotFound", "The platform image 'microsoft-dsvm:ubuntu-hpc:2404:1' is not available.",
        at=_MACHINE,
    ),
    # Spot
    "no spot for the size": refused(
        409, "AzureSpotIsNotSupportedForThisVMSize", "Azure Spot is not supported for this VM size.", at=_MACHINE
    ),
    "no spot for the subscription": refused(
        409, "AzureSpotFeatureNotEnabledForSubscription", "Azure Spot is not enabled.", at=_MACHINE
    ),
    "a price below the market": refused(
        409, "SpotPriceGreaterThanProvidedMaxPrice", "The current Azure Spot price 1.5 USD exceeds the provided max "
        "price 0.1 USD.", at=_MACHINE,
    ),
    "a price that is none": refused(400, "MaxPriceValueInvalid", "The max price value is invalid.", at=_MACHINE),
    # Trouble on the way
    "throttled for long": refused(
        429, "OperationNotAllowed", "Too many requests.", at=_MACHINE, headers={"Retry-After": "120"},
        inner={"details": [{"code": "TooManyRequests", "target": "PutVM", "message": "{}"}]},
    ),
    "the whole subscription is throttled": refused(
        429, "SubscriptionRequestsThrottled", "Number of requests exceeded.", at=_SUBSCRIPTION, method="GET",
        headers={"Retry-After": "300"},
    ),
    "the cloud is down": refused(503, "ServiceUnavailable", "The service is down.", at=_SUBSCRIPTION, method="GET"),
    "a gateway answers in its own words": WrongEnvironment(
        ({"method": "GET", "path": _SUBSCRIPTION, "count": 0, "status": 403, "body": {"blocked": "by the firewall"}},)
    ),
    "every connection is reset": WrongEnvironment((_RESET,)),
    "nobody listens": WrongEnvironment(call=account(base_url="https://127.0.0.1:9", authority="https://127.0.0.1:9")),
    "an unknown certificate authority": WrongEnvironment(call=account(ca_file=None)),
    "a proxy that is not there": WrongEnvironment(
        call=account(), variables={"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "", "no_proxy": ""}
    ),
    # What stands in the way
    "a group of the same name": WrongEnvironment(
        (
            {
                "method": "GET", "path": _GROUP, "count": 0, "status": 200,
                "body": {"id": "/subscriptions/1/resourceGroups/g", "name": "g", "location": "eastus", "tags": {}},
            },
        )
    ),
    "the group is being deleted": refused(
        409, "ResourceGroupBeingDeleted", "The resource group is in deprovisioning state and cannot perform this "
        "operation.", at=_GROUP,
    ),
    "the group is elsewhere": refused(
        409, "InvalidResourceGroupLocation", "Invalid resource group location 'eastus'. The Resource group already "
        "exists in location 'westus'.", at=_GROUP,
    ),
    "a lock": replace(
        refused(
            409, "ScopeLocked", "The scope cannot perform delete operation because following scope(s) are locked.",
            at=_GROUP, method="DELETE",
        ),
        call=_locked_down,
    ),
}  # fmt: skip
