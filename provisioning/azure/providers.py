"""Registers a resource provider, which a new subscription lacks until someone first uses it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from provisioning.azure.error_codes import NOT_REGISTERED
from provisioning.azure.errors import translated
from provisioning.errors import SubscriptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioning.azure.clients import Clients

_REGISTRATION_SECONDS = 5 * 60.0


def register(clients: Clients, namespace: str, pause: Callable[[float], None]) -> None:
    """Register `namespace` and wait until the cloud says so; at most 5 minutes.

    Raises:
        SubscriptionError: It is not registered in time.
        RightsError: The account may not register it.
    """
    deadline = time.monotonic() + _REGISTRATION_SECONDS
    with translated(f"register the resource provider {namespace}"):
        state = clients.resources.providers.register(namespace).registration_state
        while state != "Registered":
            if time.monotonic() > deadline:
                raise SubscriptionError(
                    f"the resource provider {namespace} is still not registered, its state: {state}",
                    hint=NOT_REGISTERED.hint,
                )
            pause(clients.endpoint.poll_seconds)
            state = clients.resources.providers.get(namespace).registration_state
