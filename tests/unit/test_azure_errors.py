"""Azure's errors, as the SDKs raise them, become ours by their code."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import requests
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    map_error,
)
from azure.core.rest import HttpRequest
from azure.core.rest._requests_basic import RestRequestsTransportResponse
from azure.identity import CredentialUnavailableError
from azure.mgmt.core.exceptions import ARMErrorFormat

from provisioning.azure.error_codes import BUSY_CODES
from provisioning.azure.errors import translated
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

QUOTA_MESSAGE = (
    "Operation could not be completed as it results in exceeding approved standardNCADSA100v4Family Cores quota. "
    "Additional details - Deployment Model: Resource Manager, Location: eastus, Current Limit: 100, Current Usage: 96, "
    "Additional Required: 64, (Minimum) New Limit Required: 160. Setup Alerts when Quota reaches threshold."
)
THROTTLED_BODY = {
    "code": "OperationNotAllowed",
    "message": "The server rejected the request because too many requests have been received for this subscription.",
    "details": [{"code": "TooManyRequests", "target": "HighCostGet", "message": "{}"}],
}


def wrapped(code: str, message: str = "Azure's words.", **more: Any) -> dict[str, Any]:  # noqa: ANN401  (JSON)
    """The usual form of an error."""
    return {"error": {"code": code, "message": message, **more}}


def failed(code: str) -> dict[str, Any]:
    """What the poll of a failed operation answers, with HTTP 200."""
    return {"startTime": "2026-11-22T10:00:00Z", "status": "Failed", "name": "op", **wrapped(code)}


def response(status: int, body: object, headers: dict[str, str] | None = None) -> RestRequestsTransportResponse:
    """A response as the SDK's own transport hands it over."""
    raw = requests.Response()
    raw.status_code = status
    raw.reason = "a reason"
    raw.raw = io.BytesIO(b"" if body is None else json.dumps(body).encode())
    raw.headers.update({"Content-Type": "application/json", **(headers or {})})
    request = HttpRequest("PUT", "https://management.azure.com/subscriptions/s")
    answer = RestRequestsTransportResponse(request=request, internal_response=raw)  # type: ignore[no-untyped-call]  # the SDK's
    answer.read()
    return answer


def raised_by_sdk(status: int, body: object, headers: dict[str, str] | None = None) -> HttpResponseError:
    """The exception that a management package raises for an answer."""
    answer = response(status, body, headers)
    error_map: Any = {401: ClientAuthenticationError, 404: ResourceNotFoundError, 409: ResourceExistsError}
    if status >= 400:
        try:
            map_error(status_code=status, response=answer, error_map=error_map)
        except HttpResponseError as error:
            return error
    return HttpResponseError(response=answer, error_format=ARMErrorFormat)


def ours(error: Exception) -> ProvisioningError:
    """What becomes of an exception at the border."""
    with pytest.raises(ProvisioningError) as caught, translated("create the virtual machine x"):
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (409, wrapped("OperationNotAllowed", QUOTA_MESSAGE), QuotaError),
        (429, wrapped("OperationNotAllowed"), ThrottledError),
        (429, THROTTLED_BODY, ThrottledError),
        (429, wrapped("RetryableErrorDueToAnotherOperation"), TransientError),
        (429, None, ThrottledError),
        (409, wrapped("SkuNotAvailable", target="sku.name"), NotOfferedError),
        (400, wrapped("AvailabilityZoneNotSupported"), NotOfferedError),
        (400, wrapped("LocationNotAvailableForResourceType"), NotOfferedError),
        (409, wrapped("SpotPriceGreaterThanProvidedMaxPrice"), CapacityError),
        (200, failed("AllocationFailed"), CapacityError),
        (200, failed("ZonalAllocationFailed"), CapacityError),
        (200, failed("OverconstrainedAllocationRequest"), CapacityError),
        (200, failed("OverconstrainedZonalAllocationRequest"), CapacityError),
        (200, failed("OSProvisioningTimedOut"), TransientError),
        (200, failed("SomethingNew"), RequestRefusedError),
        (409, wrapped("PropertyChangeNotAllowed", target="zones"), RequestRefusedError),
        (409, wrapped("MissingSubscriptionRegistration"), SubscriptionError),
        (409, wrapped("ResourceGroupBeingDeleted"), TransientError),
        (409, wrapped("AnotherOperationInProgress"), TransientError),
        (409, wrapped("ResourceGroupDeletionBlocked"), TransientError),
        (409, wrapped("ScopeLocked"), RightsError),
        (400, wrapped("NicReservedForAnotherVm"), TransientError),
        (400, wrapped("InUseSubnetCannotBeDeleted"), RequestRefusedError),
        (400, wrapped("EvictionPolicyCanBeSetOnlyOnAzureSpotVirtualMachines"), RequestRefusedError),
        (409, wrapped("azurespotisnotsupportedforthisvmsize"), NotOfferedError),
        (409, wrapped("MaxPriceValueInvalid"), RequestRefusedError),
        (401, wrapped("InvalidAuthenticationToken"), SignInError),
        (401, None, SignInError),
        (403, wrapped("AuthorizationFailed"), RightsError),
        (403, None, RightsError),
        (404, wrapped("SubscriptionNotFound"), SubscriptionError),
        (404, wrapped("ResourceGroupNotFound"), RequestRefusedError),
        (412, wrapped("PreconditionFailed"), TransientError),
        (400, wrapped("SomethingNew"), RequestRefusedError),
        (500, wrapped("SomethingNew"), TransientError),
        (503, None, TransientError),
        (502, "<html>", TransientError),
    ],
)
def test_error_is_told_by_its_code(status: int, body: object, expected: type[ProvisioningError]) -> None:
    """Each code, wherever Azure puts it, becomes the kind of ours that it stands for, with a next step."""
    error = ours(raised_by_sdk(status, body))
    assert type(error) is expected
    assert error.hint
    assert error.code


def test_quota_error_shows_the_numbers() -> None:
    """The limit, the use and the need are read out of Azure's sentence for the user."""
    error = ours(raised_by_sdk(409, wrapped("OperationNotAllowed", QUOTA_MESSAGE)))
    assert "standardNCADSA100v4Family Cores in eastus: 64 more needed, 96 of 100 in use" in error.fact
    assert error.code == "OperationNotAllowed"


def test_throttling_error_shows_how_long_azure_wants_us_to_wait() -> None:
    """The Retry-After that we did not follow is not hidden."""
    assert "wait 1200 s" in ours(raised_by_sdk(429, THROTTLED_BODY, {"Retry-After": "1200"})).fact


def test_unknown_code_is_shown_with_azures_words() -> None:
    """What we do not know reaches the user unchanged."""
    error = ours(raised_by_sdk(400, wrapped("SomethingNew", "The moon is\n in the wrong house.")))
    assert error.fact == (
        "cannot create the virtual machine x, Azure refuses the request: SomethingNew (The moon is in the wrong house.)"
    )


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CredentialUnavailableError(message="no credential"), SignInError),
        (ClientAuthenticationError(message="wrong secret"), SignInError),
        (ServiceRequestError("no route"), TransientError),
    ],
)
def test_error_without_an_answer(error: Exception, expected: type[ProvisioningError]) -> None:
    """A missing sign-in and a missing network are told apart without any answer from Azure."""
    assert type(ours(error)) is expected


def test_first_error_is_kept_as_the_cause() -> None:
    """`--verbose` can still show what the SDK raised."""
    first = raised_by_sdk(403, wrapped("AuthorizationFailed"))
    assert ours(first).__cause__ is first


def test_other_exceptions_pass() -> None:
    """A fault of ours is not dressed up as Azure's."""
    with pytest.raises(ZeroDivisionError), translated("divide"):
        _ = 1 // 0


@pytest.mark.parametrize("code", sorted(BUSY_CODES))
def test_busy_codes_are_known_and_passing(code: str) -> None:
    """Whatever is retried is also, when retrying ends, reported as passing."""
    assert type(ours(raised_by_sdk(409, wrapped(code)))) is TransientError
