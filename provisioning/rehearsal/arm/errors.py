"""ARM's refusals, each with its real code, status and wording, as documentation and public logs show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provisioning.rehearsal.arm.json_types import Json


class ArmError(Exception):
    """A refusal as ARM words it.

    Attributes:
        status: HTTP status when it is answered synchronously.
        code: ARM error code.
        message: Text for people.
        target: The property at fault, or an empty string.
        details: Inner errors; None leaves the key out.
        headers: Extra response headers.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str = "",
        details: Sequence[Json] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.details = details
        self.headers = dict(headers or {})

    def error(self) -> Json:
        """The inner `error` object, also used by failed operations."""
        error: Json = {"code": self.code, "message": self.message}
        if self.target:
            error["target"] = self.target
        if self.details is not None:
            error["details"] = list(self.details)
        return error


# ARM itself, not the resource provider, answered: it says so in this header.
_GATEWAY = {"x-ms-failure-cause": "gateway"}


def resource_not_found(resource_type: str, name: str, group: str) -> ArmError:
    """404 for one resource."""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{resource_type}/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        headers=_GATEWAY,
    )


def group_not_found(group: str) -> ArmError:
    """404 for a resource group."""
    message = f"Resource group '{group}' could not be found."
    return ArmError(404, "ResourceGroupNotFound", message, headers=_GATEWAY)


def group_being_deleted(group: str) -> ArmError:
    """409 for creating into a group that is going away."""
    message = f"The resource group '{group}' is in deprovisioning state and cannot perform this operation."
    return ArmError(409, "ResourceGroupBeingDeleted", message)


def child_not_found(resource_id: str) -> ArmError:
    """404 as the network provider words it for what lives inside another resource."""
    return ArmError(404, "NotFound", f"Resource {resource_id} not found.", details=[])


def invalid_reference(referenced_id: str, referrer_id: str) -> ArmError:
    """400 for a network resource that points at nothing, or at another region."""
    message = (
        f"Resource {referenced_id} referenced by resource {referrer_id} was not found. Please make sure that the "
        "referenced resource exists, and that both resources are in the same region."
    )
    return ArmError(400, "InvalidResourceReference", message, details=[])


def another_operation(operation_id: str) -> ArmError:
    """409 while a network resource is busy."""
    message = (
        "Another operation on this or dependent resource is in progress. "
        f"To retrieve status of the operation use uri: {operation_id}."
    )
    return ArmError(409, "AnotherOperationInProgress", message, details=[])


def stale_etag(given: str, current: str | None, resource_id: str) -> ArmError:
    """412 for an If-Match that is out of date; the network provider words it differently from the others."""
    message = f"Etag provided in if-match header {given} does not match etag {current} of resource"
    if "/providers/microsoft.network/" not in resource_id.lower():
        return ArmError(412, "PreconditionFailed", f"{message}.")
    details = [{"code": "PreconditionFailedEtagMismatch", "message": f"{message} {resource_id} in NRP data store."}]
    return ArmError(412, "PreconditionFailed", "Precondition failed.", details=details)


def property_change(name: str) -> ArmError:
    """409 for an immutable property."""
    message = f"Changing property '{name}' is not allowed."
    return ArmError(409, "PropertyChangeNotAllowed", message, target=name)


def quota(name: str, region: str, *, limit: int, used: int, more: int) -> ArmError:
    """409 for too few cores; the numbers stand in the text, as in the real one."""
    message = (
        f"Operation could not be completed as it results in exceeding approved {name} quota. Additional details - "
        f"Deployment Model: Resource Manager, Location: {region}, Current Limit: {limit}, Current Usage: {used}, "
        f"Additional Required: {more}, (Minimum) New Limit Required: {used + more}. Setup Alerts when Quota reaches "
        "threshold. Learn more at https://aka.ms/quotamonitoringalerting ."
    )
    return ArmError(409, "OperationNotAllowed", message)


def size_not_available(size: str, region: str) -> ArmError:
    """409 for a size that is not to be had here."""
    message = (
        f"The requested VM size for resource 'Following SKUs have failed for Capacity Restrictions: {size}' is "
        f"currently not available in location '{region}'. Please try another size or deploy to a different location "
        "or different zone. See https://aka.ms/azureskunotavailable for details."
    )
    return ArmError(409, "SkuNotAvailable", message, target="sku.name")


def authorization_failed(principal: str, action: str, scope: str) -> ArmError:
    """403 for a principal without the right."""
    message = (
        f"The client '{principal}' with object id '{principal}' does not have authorization to perform action "
        f"'{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your "
        "credentials."
    )
    return ArmError(403, "AuthorizationFailed", message)
