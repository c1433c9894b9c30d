"""Troubles that Azure really makes, by name: what a scripted fault answers, with Azure's own codes and words.

Sources: Microsoft's pages on errors and throttling of Azure VMs, and public logs of tools that met them. The names are
ours; a fault takes one as `trouble`, and every property that it sets itself wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import (
    ArmError,
    another_operation,
    authorization_failed,
    group_being_deleted,
    property_change,
    quota,
    size_not_available,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.rehearsal.arm.json_types import Json

_GUIDANCE = "Read more about improving likelihood of allocation success at http://aka.ms/allocation-guidance"
_CONSTRAINED = (
    "Allocation failed. VM(s) with the following constraints cannot be allocated, because the condition is too "
    "restrictive. Please remove some constraints and try again. Constraints applied are:\n"
)
_PRINCIPAL = "00000000-0000-0000-0000-000000000000"
_ELSEWHERE = "/subscriptions/.../resourceGroups/other/providers"


def _at_once(error: ArmError) -> Json:
    """The call itself is refused, and has no effect."""
    return {"status": error.status, "body": {"error": error.error()}, "headers": error.headers}


def _later(code: str, message: str, **more: object) -> Json:
    """The call is accepted, and its operation fails: HTTP 200 with status Failed."""
    return {"operation_error": {"code": code, "message": message}, **more}


def _throttled_by_compute(retry_after_seconds: int) -> Json:
    message = "The server rejected the request because too many requests have been received for this subscription."
    inner = (
        '{"operationGroup":"HighCostGet","startTime":"2026-11-01T19:54:21.0914017+00:00",'
        '"endTime":"2026-11-01T20:14:21.0914017+00:00","allowedRequestCount":300,"measuredRequestCount":1238}'
    )
    # As Compute sends it: without the `error` around it, under the code that means quota at 409.
    body = {
        "code": "OperationNotAllowed",
        "message": message,
        "details": [{"code": "TooManyRequests", "target": "HighCostGet", "message": inner}],
    }
    left = {"x-ms-ratelimit-remaining-resource": "Microsoft.Compute/HighCostGet;0"}
    return {"status": 429, "body": body, "headers": {**left, "Retry-After": str(retry_after_seconds)}}


def _in_use(code: str, message: str) -> ArmError:
    return ArmError(400, code, message, details=[])


def _unregistered(namespace: str) -> ArmError:
    message = (
        f"The subscription is not registered to use namespace '{namespace}'. See https://aka.ms/rps-not-found for how "
        "to register subscriptions."
    )
    code = "MissingSubscriptionRegistration"
    return ArmError(409, code, message, details=[{"code": code, "target": namespace, "message": message}])


_ARM_THROTTLED = ArmError(
    429,
    "SubscriptionRequestsThrottled",
    "Number of requests for subscription '...' and operation '...' exceeded the backend storage limit. Please try "
    "again after '1' seconds.",
    headers={"Retry-After": "1"},
)
_NIC_RESERVED = _in_use(
    "NicReservedForAnotherVm",
    "Nic(s) in request is reserved for another Virtual Machine for 180 seconds. Please provide another nic(s) or retry "
    f"after 180 seconds. Reserved VM: {_ELSEWHERE}/Microsoft.Compute/virtualMachines/vm",
)
_ADDRESS_IN_USE = _in_use(
    "PublicIPAddressCannotBeDeleted",
    f"Public IP address {_ELSEWHERE}/Microsoft.Network/publicIPAddresses/ip can not be deleted since it is still "
    f"allocated to resource {_ELSEWHERE}/Microsoft.Network/networkInterfaces/nic.",
)
_LOCKED = ArmError(
    409,
    "ScopeLocked",
    "The scope '/subscriptions/.../resourceGroups/...' cannot perform delete operation because following scope(s) are "
    "locked: '/subscriptions/...'. Please remove the lock and try again.",
)
_BLOCKED = (
    "Deletion of resource group failed as resources with identifiers 'Microsoft.Network/networkInterfaces/nic' could "
    "not be deleted. The provisioning state of the resource group will be rolled back. The tracking Id is "
    "'270ed8ad-68a0-476a-942c-6d22377c36a9'. Please check audit logs for more details."
)
_EXPIRED = ArmError(
    401,
    "InvalidAuthenticationToken",
    "The access token is invalid.",
    headers={"WWW-Authenticate": 'Bearer authorization_uri="https://login.windows.net/", error="invalid_token"'},
)

TROUBLES: Mapping[str, Json] = {
    "quota-of-family": _at_once(
        quota("standardNCADSA100v4Family Cores", "eastus", limit=0, used=0, more=96),
    ),
    "quota-of-region": _at_once(quota("Total Regional Cores", "eastus", limit=50, used=50, more=2)),
    "quota-of-spot": _at_once(quota("LowPriorityCores", "eastus", limit=3, used=0, more=6)),
    "size-not-available": _at_once(size_not_available("Standard_NC24ads_A100_v4", "eastus")),
    "no-capacity": _later(
        "AllocationFailed",
        f"Allocation failed. We do not have sufficient capacity for the requested VM size in this region. {_GUIDANCE}",
    ),
    "no-capacity-in-zone": _later(
        "ZonalAllocationFailed",
        "Allocation failed. We do not have sufficient capacity for the requested VM size Standard_NC24ads_A100_v4 in "
        f"zone 1. {_GUIDANCE}",
    ),
    "too-many-wishes": _later(
        "OverconstrainedAllocationRequest",
        f"{_CONSTRAINED}  - Networking Constraints (such as Accelerated Networking or IPv6)\n  - VM Size\n",
    ),
    "too-many-wishes-in-zone": _later(
        "OverconstrainedZonalAllocationRequest",
        f"{_CONSTRAINED}  - Availability Zone\n  - Low Priority VMs\n  - VM Size\n",
    ),
    "boots-too-slowly": _later(
        "OSProvisioningTimedOut",
        "OS Provisioning for VM did not finish in the allotted time. The VM may still finish provisioning "
        "successfully. Please check provisioning state later.",
        operation_effect=True,
    ),
    "fails-later": _later("InternalExecutionError", "An internal execution error occurred. Please retry later."),
    "throttled": _at_once(_ARM_THROTTLED),
    "throttled-by-compute": _throttled_by_compute(1200),
    "interface-reserved": _at_once(_NIC_RESERVED),
    "address-in-use": _at_once(_ADDRESS_IN_USE),
    "another-operation": _at_once(another_operation("7cc09cb4-575a-45fb-84c4-d3e7a1c75129")),
    "group-being-deleted": _at_once(group_being_deleted("...")),
    "deletion-rolled-back": _later("ResourceGroupDeletionBlocked", _BLOCKED),
    "locked": _at_once(_LOCKED),
    "cannot-change": _at_once(property_change("zones")),
    "unregistered": _at_once(_unregistered("Microsoft.Compute")),
    "no-rights": _at_once(
        authorization_failed(_PRINCIPAL, "Microsoft.Compute/virtualMachines/write", "/subscriptions/...")
    ),
    "expired-sign-in": _at_once(_EXPIRED),
    "internal-error": _at_once(ArmError(500, "InternalServerError", "The server encountered an internal error.")),
    "bad-gateway": {"status": 502},
    "unavailable": _at_once(
        ArmError(503, "ServerTimeout", "The request timed out. Diagnostic information: timestamp '...'.")
    ),
    "reset": {"drop": True},
    "reset-after-effect": {"drop": True, "when": "after"},
    "error-after-effect": {"status": 500, "when": "after"},
}


def trouble(name: str) -> Json:
    """The properties of a fault of this name.

    Raises:
        ArmError: 400 with the names that there are.
    """
    if name not in TROUBLES:
        raise ArmError(400, "InvalidFault", f"no such trouble, one of {', '.join(TROUBLES)} was expected: {name}")
    return TROUBLES[name]
