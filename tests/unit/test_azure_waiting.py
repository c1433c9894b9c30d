"""How long the Azure client lets itself be told to wait."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from azure.core.pipeline import PipelineContext, PipelineRequest, PipelineResponse
from azure.core.rest import HttpRequest, HttpResponse
from azure.core.rest._requests_basic import RestRequestsTransportResponse

from provisioning.azure.pipeline import BoundedRetry, PolitePolling


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


@pytest.mark.parametrize(
    ("status", "asked", "kept"),
    [(202, "1", 5.0), (202, "10", 10.0), (200, "1200", 60.0)],
)
def test_polling_keeps_between_our_interval_and_a_minute(status: int, asked: str, kept: float) -> None:
    """Azure may slow a poll down or speed it up, within bounds."""
    response = answer(status, asked)
    PolitePolling(5.0).on_response(PipelineRequest(response.http_request, response.context), response)
    assert float(response.http_response.headers["Retry-After"]) == kept


def test_errors_keep_what_azure_said() -> None:
    """The wait that Azure asks for in an error is shown to the user as it is."""
    response = answer(429, "1200")
    PolitePolling(5.0).on_response(PipelineRequest(response.http_request, response.context), response)
    assert response.http_response.headers["Retry-After"] == "1200"
