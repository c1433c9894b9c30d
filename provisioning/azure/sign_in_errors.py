"""What is really behind a failed sign-in: azure-identity calls a cut cable and a wrong clock the same."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from provisioning.azure.error_codes import CERTIFICATE, CLOCK, NETWORK, SIGN_IN, TRANSIENT, Meaning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.core.exceptions import AzureError, HttpResponseError

# Tokens are good for an hour, and Entra ID forgives five minutes.
_FORGIVEN_SECONDS = 300.0


def network_meaning(error: AzureError) -> Meaning | None:
    """What kept the request from its answer, or None when there was one."""
    from azure.core.exceptions import ServiceRequestError, ServiceResponseError
    from requests.exceptions import SSLError

    for cause in _chain(error):
        if isinstance(cause, ServiceRequestError | ServiceResponseError):
            return CERTIFICATE if isinstance(cause.inner_exception, SSLError) else NETWORK
    return None


def sign_in_meaning(error: HttpResponseError) -> Meaning:
    """Of an error without ARM's codes, or with one that says that the token is no good."""
    from msal.exceptions import MsalServiceError  # type: ignore[import-untyped]  # ships no types

    behind = network_meaning(error)
    if behind is not None:
        return behind
    # A refusal is a result to MSAL; it raises when the service answers 5xx.
    if any(isinstance(cause, MsalServiceError) for cause in _chain(error)):
        return TRANSIENT
    return CLOCK if abs(_clock_difference_seconds(error)) > _FORGIVEN_SECONDS else SIGN_IN


def _clock_difference_seconds(error: HttpResponseError) -> float:
    """How far this computer's clock is from that of whoever answered; 0 when the answer does not say."""
    text = getattr(error.response, "headers", {}).get("Date", "")
    try:
        return (datetime.now(UTC) - parsedate_to_datetime(text)).total_seconds()
    except (TypeError, ValueError):
        return 0.0


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__
