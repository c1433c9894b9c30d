"""How long the Azure client lets itself be told to wait."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from azure.core.pipeline import PipelineContext, PipelineRequest, PipelineResponse
from azure.core.pipeline.policies._utils import get_retry_after
from azure.core.rest import HttpRequest, HttpResponse
from azure.core.rest._requests_basic import RestRequestsTransportResponse

from provisioning.azure.pacing import PolitePolling
from provisioning.azure.pipeline import BoundedRetry


def answer(status: int, retry_after: str | None) -> PipelineResponse[HttpRequest, HttpResponse]:
    """An answer as the policies see it."""
    raw = requests.Response()
    raw.status_code = status
    if retry_after is not None:
        raw.headers["Retry-After"] = retry_after
    request = HttpRequest("PUT", "https://management.azure.com/subscriptions/s")
    response = RestRequestsTransportResponse(request=request, internal_response=raw)  # type: ignore[no-untyped-call]  # the SDK's
    return PipelineResponse(request, response, PipelineContext(None))


@pytest.mark.parametrize(
    ("status", "retry_after", "retried"),
    [
        (503, None, True),
        (429, "30", True),
        (429, "1200", False),
        (409, "1", False),
        (409, None, False),
        (400, None, False),
        (200, None, False),
    ],
)
def test_only_passing_troubles_are_retried_and_only_soon(status: int, retry_after: str | None, retried: bool) -> None:  # noqa: FBT001
    """A wait of more than a minute goes to the user instead, and so does what no waiting mends."""
    policy = BoundedRetry()
    settings: dict[str, Any] = policy.configure_retries({})
    assert policy.is_retry(settings, answer(status, retry_after)) is retried


def test_retries_end() -> None:
    """A trouble that does not pass is tried four times in all."""
    policy = BoundedRetry()
    settings: dict[str, Any] = policy.configure_retries({})
    attempts = 1
    while policy.is_retry(settings, answer(503, None)) and policy.increment(settings, response=answer(503, None)):
        attempts += 1
    assert attempts == 4


MACHINE = "https://management.azure.com/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/m"
ADDRESS = (
    "https://management.azure.com/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/publicIPAddresses/a"
)
OPERATION = "https://management.azure.com/subscriptions/s/providers/Microsoft.Compute/locations/l/operations/o?t=1"


def looks_until(seconds: float, method: str, url: str, asked: int) -> list[float]:
    """When a client that does as it is told looks at an operation, until `seconds` have passed."""
    now = [0.0]
    policy = PolitePolling(5.0, lambda: now[0])
    request, looks = HttpRequest(method, url), list[float]()
    while now[0] < seconds:
        response = answer(202, str(asked))
        response.http_response.headers["Azure-AsyncOperation"] = OPERATION
        policy.on_response(PipelineRequest(request, response.context), response)
        now[0] += get_retry_after(response) or 0.0
        looks.append(round(now[0], 2))
        request = HttpRequest("GET", OPERATION)
    return looks


def test_a_machine_is_looked_at_seldom_first_and_often_when_it_is_due() -> None:
    """As the server asks for a minute, then 15 times a minute, which is what Compute allows."""
    looks = looks_until(89, "PUT", MACHINE, asked=10)
    assert looks[:6] == [10, 20, 30, 40, 50, 60]
    assert looks[6:] == [64, 68, 72, 76, 80, 84, 88, 92]


def test_what_takes_seconds_is_known_within_a_third_of_its_time() -> None:
    """The server's 10 s would double the time of a network, several times in a launch."""
    assert looks_until(4, "PUT", ADDRESS, asked=10) == [1, 2, 3, 4]
    late = looks_until(600, "PUT", ADDRESS, asked=10)
    assert late[-1] - late[-2] == 5


@pytest.mark.parametrize(("asked", "pause"), [(1, 5), (10, 10), (1200, 60)])
@pytest.mark.parametrize("method", ["DELETE", "POST"])
def test_polling_keeps_between_our_interval_and_a_minute(method: str, asked: int, pause: float) -> None:
    """Azure may slow the polling of a deletion or an action down, within bounds."""
    assert looks_until(1, method, MACHINE, asked) == [pause]


def test_the_sdk_can_read_what_the_policy_writes() -> None:
    """The SDK's models read `Retry-After` as a whole number: "5.0" there would end a launch."""
    response = answer(202, "10")
    PolitePolling(5.0).on_response(PipelineRequest(HttpRequest("PUT", ADDRESS), response.context), response)
    assert "Retry-After" not in response.http_response.headers
    assert get_retry_after(response) == 1.0


def test_errors_keep_what_azure_said() -> None:
    """The wait that Azure asks for in an error is shown to the user as it is."""
    response = answer(429, "1200")
    PolitePolling(5.0).on_response(PipelineRequest(response.http_response.request, response.context), response)
    assert response.http_response.headers["Retry-After"] == "1200"
