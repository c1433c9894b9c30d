"""What each of Azure's error codes means to a run: our error, what to say, what to do next. No other file knows a code.

Sources: Microsoft's troubleshooting pages on errors of Azure VMs (allocation, quota, spot, throttling) and recorded
bodies. Codes are compared without case, as Azure's services do not agree on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from provisioning.errors import (
    CapacityError,
    NotOfferedError,
    ProvisioningError,
    QuotaError,
    RequestRefusedError,
    RightsError,
    SignInError,
    SubscriptionError,
    ThrottledError,
    TransientError,
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code means: the error of ours, the fact in our words, the next command."""

    error: type[ProvisioningError]
    fact: str
    hint: str


_RESUME = "go on from here with: llamalift resume RUN"
_ELSEWHERE = (
    "name another place under machine.regions or machine.zones in the run file, or try again later with: "
    "llamalift resume RUN"
)
_SIGN_IN = "sign in with: az login (or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET)"
_RIGHTS = "ask for Contributor on the subscription, or sign in as someone else with: az login"
_REPORT = "check the machine section of the run file with: llamalift plan RUN.yaml"
_SUBSCRIPTIONS = "see which subscriptions you can use with: az account list --output table"

QUOTA = Meaning(
    QuotaError,
    "the subscription's limit is too small",
    "see the limits with: az vm list-usage --location REGION --output table; then ask for more at "
    "https://aka.ms/quotamonitoringalerting or name another region or size in the run file",
)
NETWORK_QUOTA = Meaning(
    QuotaError,
    "the subscription's limit is too small",
    "see the limits with: az network list-usages --location REGION --output table; then delete what is not needed, or "
    "name another region in the run file",
)
THROTTLED = Meaning(ThrottledError, "too many requests", f"wait a few minutes, then {_RESUME}")
NO_CAPACITY = Meaning(CapacityError, "Azure has no such machine free here now", _ELSEWHERE)
NOT_OFFERED = Meaning(NotOfferedError, "this subscription cannot have such a machine here", _ELSEWHERE)
SIGN_IN = Meaning(SignInError, "no usable sign-in", _SIGN_IN)
CLOCK = Meaning(
    SignInError,
    "the sign-in is refused, and this computer's clock is wrong",
    f"look at the clock with: timedatectl; set it, then {_RESUME}",
)
RIGHTS = Meaning(RightsError, "not allowed", _RIGHTS)
POLICY = Meaning(
    RightsError,
    "a policy of the subscription forbids it",
    "see the policies with: az policy assignment list --output table; then ask their owner, or follow them with "
    "tags or machine in the run file",
)
REFUSED = Meaning(RequestRefusedError, "Azure refuses the request", _REPORT)
TRANSIENT = Meaning(TransientError, "Azure had a passing trouble", _RESUME)
NETWORK = Meaning(
    TransientError, "no answer from the cloud", f"check this computer's network connection, then {_RESUME}"
)
CERTIFICATE = Meaning(
    TransientError,
    "the certificate of the cloud is not trusted",
    f"where a proxy looks into TLS, trust it with: export REQUESTS_CA_BUNDLE=FILE; then {_RESUME}",
)
BUSY = Meaning(TransientError, "something else is at work on it", f"wait a minute, then {_RESUME}")
IN_USE = Meaning(RequestRefusedError, "it is still in use", "delete the whole run with: llamalift down RUN")
LOCKED = Meaning(
    RightsError, "it is locked against deletion", "see the lock with: az lock list --output table; then take it away"
)
NOT_FOUND = Meaning(RequestRefusedError, "not found", _REPORT)
UNKNOWN_SUBSCRIPTION = Meaning(SubscriptionError, "the subscription cannot be used", _SUBSCRIPTIONS)
NOT_REGISTERED = Meaning(
    SubscriptionError,
    "the subscription is not registered for this resource provider",
    "register it with: az provider register --namespace NAMESPACE --wait",
)
SPOT = Meaning(
    RequestRefusedError,
    "Azure refuses spot here",
    "set machine.spot: false in the run file, or change machine.max_price, and look with: llamalift plan RUN.yaml",
)
NO_SPOT = Meaning(NotOfferedError, "this size cannot be had at the spot price here", _ELSEWHERE)
SPOT_PRICE = Meaning(
    CapacityError,
    "the spot price here is above machine.max_price now",
    "raise machine.max_price in the run file, or try again later with: llamalift resume RUN",
)
IMMUTABLE = Meaning(
    RequestRefusedError,
    "this cannot be changed on something that exists",
    "delete the run with: llamalift down RUN; then start it anew with: llamalift up RUN.yaml",
)
DYING_GROUP = Meaning(
    TransientError, "the run's resource group is being deleted", "see what is left with: llamalift down RUN"
)

_MEANINGS = {
    NO_CAPACITY: (
        "AllocationFailed ZonalAllocationFailed OverconstrainedAllocationRequest OverconstrainedZonalAllocationRequest"
    ),
    # The size is restricted for the subscription, or sold out for it; the zones and regions beside it may not be.
    NOT_OFFERED: (
        "SkuNotAvailable AvailabilityZoneNotSupported InvalidAvailabilityZone LocationNotAvailableForResourceType "
        "LocationNotAvailableForResourceGroup RequestDisallowedByAzure"
    ),
    NO_SPOT: "AzureSpotIsNotSupportedForThisVMSize",
    SPOT_PRICE: "SpotPriceGreaterThanProvidedMaxPrice",
    # OperationNotAllowed at 429 with an inner TooManyRequests is throttling; `meaning_of` looks there first.
    QUOTA: "OperationNotAllowed QuotaExceeded ResourceQuotaExceeded",
    NETWORK_QUOTA: "PublicIPCountLimitReached",
    THROTTLED: "TooManyRequests SubscriptionRequestsThrottled ResourceRequestsThrottled",
    SIGN_IN: (
        "InvalidAuthenticationToken InvalidAuthenticationTokenTenant ExpiredAuthenticationToken AuthenticationFailed"
    ),
    RIGHTS: "AuthorizationFailed LinkedAuthorizationFailed",
    POLICY: "RequestDisallowedByPolicy",
    UNKNOWN_SUBSCRIPTION: (
        "SubscriptionNotFound InvalidSubscriptionId ReadOnlyDisabledSubscription DisabledSubscription"
    ),
    NOT_REGISTERED: "MissingSubscriptionRegistration SubscriptionNotRegistered",
    NOT_FOUND: (
        "ResourceNotFound ResourceGroupNotFound ParentResourceNotFound NotFound ImageNotFound PlatformImageNotFound"
    ),
    LOCKED: "ScopeLocked",
    IMMUTABLE: "PropertyChangeNotAllowed InvalidResourceGroupLocation InvalidResourceLocation",
    DYING_GROUP: "ResourceGroupBeingDeleted",
    IN_USE: (
        "PublicIPAddressCannotBeDeleted InUseSubnetCannotBeDeleted InUseNetworkSecurityGroupCannotBeDeleted NicInUse"
    ),
    BUSY: (
        "AnotherOperationInProgress RetryableErrorDueToAnotherOperation NicReservedForAnotherVm OperationPreempted "
        "PreconditionFailed Conflict ResourceGroupDeletionBlocked"
    ),
    TRANSIENT: (
        "InternalServerError InternalExecutionError ServerTimeout ServiceUnavailable GatewayTimeout RetryableError "
        "OperationTimedOut OSProvisioningTimedOut PrincipalNotFound"
    ),
    SPOT: (
        "MaxPriceValueInvalid EvictionPolicyCanBeSetOnlyOnAzureSpotVirtualMachines VMPriorityCannotBeApplied "
        "AzureSpotFeatureNotEnabledForSubscription MaxPriceChangeNotAllowedForAllocatedVMs"
    ),
}
_BY_CODE = {code.lower(): meaning for meaning, codes in _MEANINGS.items() for code in codes.split()}
_BY_STATUS = {401: SIGN_IN, 403: RIGHTS, 404: NOT_FOUND, 408: TRANSIENT, 409: BUSY, 412: BUSY, 429: THROTTLED}

# Worth asking again for the same thing after a pause: the first three end by themselves (a NIC stays reserved for
# 180 s after its machine failed), a new identity takes up to a minute to be known everywhere.
BUSY_CODES = frozenset(
    {
        "anotheroperationinprogress",
        "retryableerrorduetoanotheroperation",
        "nicreservedforanothervm",
        "operationpreempted",
        "principalnotfound",
    }
)
# The subscription itself is fine: one of its resource providers waits to be registered.
NOT_REGISTERED_CODES = frozenset(code.lower() for code in _MEANINGS[NOT_REGISTERED].split())


def meaning_of(status: int | None, codes: list[str]) -> Meaning:
    """Judge an error by its codes (outer first, then inner ones), else by its HTTP status.

    A failed asynchronous operation comes with status 200: then only the codes say anything.
    """
    lowered = [code.lower() for code in codes]
    if status == 429 or "toomanyrequests" in lowered:
        return BUSY if "retryableerrorduetoanotheroperation" in lowered else THROTTLED
    known = next((_BY_CODE[code] for code in lowered if code in _BY_CODE), None)
    return known or _by_status(status)


def _by_status(status: int | None) -> Meaning:
    if status is not None and status >= 500:
        return TRANSIENT
    return _BY_STATUS.get(status or 0, REFUSED)
