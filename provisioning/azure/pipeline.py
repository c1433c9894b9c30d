"""How every request to a Resource Manager travels: signed in, retried within bounds, polled politely.

The SDK's own pipeline sleeps for as long as a `Retry-After` says (Compute sends 1200 s), retries what waiting cannot
mend, and registers resource providers in an endless loop; ours is the same list of policies without these three.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from azure.core import PipelineClient
from azure.core.pipeline.policies import (
    ContentDecodePolicy,
    DistributedTracingPolicy,
    HeadersPolicy,
    NetworkTraceLoggingPolicy,
    ProxyPolicy,
    RedirectPolicy,
    RequestIdPolicy,
    RetryPolicy,
    SensitiveHeaderCleanupPolicy,
    UserAgentPolicy,
)
from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy, ARMHttpLoggingPolicy

from provisioning.azure.credential import SharedCredential
from provisioning.azure.pacing import LONGEST_WAIT_SECONDS, PolitePolling

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline import PipelineResponse

    from provisioning.azure.endpoint import ArmEndpoint

# Python prints the warnings of loggers that nobody listens to: a screenful for each failed sign-in.
for _name in ("azure", "msal"):
    logging.getLogger(_name).addHandler(logging.NullHandler())

CONNECT_SECONDS = 10
READ_SECONDS = 60
PRICES_PAUSE_SECONDS = 3.0
# The SDK's own: the second retry comes after it, each further one after twice as long.
_BACKOFF_SECONDS = 0.8
_PASSING_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


class BoundedRetry(RetryPolicy[HttpRequest, HttpResponse]):
    """Retries passing troubles at most three times, and never when it is asked to wait longer than a minute."""

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[HttpRequest, HttpResponse]) -> bool:  # type: ignore[override]  # the SDK's type variable has no bound name to repeat
        """Whether to try once more; `Retry-After` alone is no reason, as the SDK would have it."""
        if response.http_response.status_code not in _PASSING_STATUSES:
            return False
        asked_seconds = self.get_retry_after(response) or 0.0
        return asked_seconds <= LONGEST_WAIT_SECONDS and bool(super().is_retry(settings, response))


class PricesRetry(BoundedRetry):
    """The Retail Prices API answers 429 without saying how long; others of its clients wait 3 seconds, and so do we."""

    def get_backoff_time(self, settings: dict[str, Any]) -> float:  # noqa: ARG002  (the SDK's signature)
        """Seconds before the next try, where the answer names none."""
        return PRICES_PAUSE_SECONDS


def policies(endpoint: ArmEndpoint, credential: TokenCredential) -> list[Any]:
    """A fresh list of policies; a pipeline links them to each other, so two clients cannot share one."""
    return [
        RequestIdPolicy(),
        HeadersPolicy(),
        UserAgentPolicy(base_user_agent="llamalift"),
        ProxyPolicy(),
        ContentDecodePolicy(),
        RedirectPolicy(),
        # Not slower than the SDK's own, and where a look costs nothing, a retry need not wait long either.
        BoundedRetry(retry_backoff_factor=min(endpoint.poll_seconds, _BACKOFF_SECONDS)),
        ARMChallengeAuthenticationPolicy(credential, scope(endpoint)),
        NetworkTraceLoggingPolicy(),
        DistributedTracingPolicy(),
        SensitiveHeaderCleanupPolicy(),
        PolitePolling(endpoint.poll_seconds),
        ARMHttpLoggingPolicy(),
    ]


def scope(endpoint: ArmEndpoint) -> str:
    """What a token is asked for."""
    return f"{endpoint.base_url}/.default"


def client_options(endpoint: ArmEndpoint, credential: TokenCredential) -> dict[str, Any]:
    """The keyword arguments that every SDK client is made with."""
    options: dict[str, Any] = {
        "policies": policies(endpoint, credential),
        "polling_interval": endpoint.poll_seconds,
        "credential_scopes": [scope(endpoint)],
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
    }
    if endpoint.ca_file is not None:
        options["connection_verify"] = str(endpoint.ca_file)
        # It is on this computer: no proxy of the environment leads there, and looking for one costs as much as a call.
        options["use_env_settings"] = False
    return options


def prices_client(endpoint: ArmEndpoint) -> PipelineClient[HttpRequest, HttpResponse]:
    """A client for the Retail Prices API: the same bounds, and no credential that could leak to it."""
    return PipelineClient(
        endpoint.prices_url,
        policies=[
            HeadersPolicy(),
            UserAgentPolicy(base_user_agent="llamalift"),
            ProxyPolicy(),
            ContentDecodePolicy(),
            RedirectPolicy(),
            PricesRetry(),
            NetworkTraceLoggingPolicy(),
            DistributedTracingPolicy(),
            ARMHttpLoggingPolicy(),
        ],
        connection_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        connection_verify=str(endpoint.ca_file) if endpoint.ca_file else True,
        use_env_settings=endpoint.ca_file is None,
    )


def sign_in(endpoint: ArmEndpoint) -> TokenCredential:
    """The credential of an endpoint. Nothing is sent yet."""
    from azure.identity import ClientSecretCredential, DefaultAzureCredential

    if endpoint.client_id is None or endpoint.client_secret is None or endpoint.tenant_id is None:
        return SharedCredential(DefaultAzureCredential())
    return SharedCredential(
        ClientSecretCredential(
            endpoint.tenant_id,
            endpoint.client_id,
            endpoint.client_secret,
            authority=endpoint.authority,
            # Instance discovery asks the public internet whether the authority is a real one.
            disable_instance_discovery=True,
            connection_verify=str(endpoint.ca_file) if endpoint.ca_file else True,
        )
    )
