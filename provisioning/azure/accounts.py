"""Which subscription pays."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from azure.core.rest import HttpRequest

from provisioning.azure.clients import bare_client
from provisioning.azure.errors import translated
from provisioning.errors import SubscriptionError
from provisioning.types import Account

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from provisioning.azure.endpoint import ArmEndpoint

SUBSCRIPTION_VARIABLE = "AZURE_SUBSCRIPTION_ID"
_API_VERSION = "2022-12-01"
_USABLE_STATES = frozenset({"Enabled", "Warned", "PastDue"})


def find_account(endpoint: ArmEndpoint, credential: TokenCredential) -> Account:
    """The subscription that the run file or the environment names, else the only usable one.

    azure-mgmt-resource 26 has no subscription client any more, so the two calls are made directly.

    Raises:
        SubscriptionError: It cannot be used, or there is none, or there are several to choose from.
        SignInError: There is no usable credential.
    """
    named = endpoint.subscription_id or os.environ.get(SUBSCRIPTION_VARIABLE)
    with bare_client(endpoint, credential) as client:

        def get(path: str) -> dict[str, Any]:
            response = client.send_request(HttpRequest("GET", f"{endpoint.base_url}{path}?api-version={_API_VERSION}"))
            response.raise_for_status()
            body: dict[str, Any] = response.json()
            return body

        if named:
            with translated(f"use the subscription {named}"):
                return _checked(get(f"/subscriptions/{named}"))
        with translated("list the subscriptions of this account"):
            return choose(get("/subscriptions")["value"])


def _checked(subscription: dict[str, Any]) -> Account:
    if subscription.get("state") not in _USABLE_STATES:
        raise SubscriptionError(
            f"the subscription {subscription.get('displayName')} is not usable, its state: {subscription.get('state')}",
            hint="see which subscriptions you can use with: az account list --output table",
        )
    return Account(str(subscription["subscriptionId"]), str(subscription.get("displayName", "")))


def choose(subscriptions: list[dict[str, Any]]) -> Account:
    """The only usable one of the subscriptions that the account sees.

    Raises:
        SubscriptionError: None is usable, or several are: who pays is never guessed.
    """
    usable = [subscription for subscription in subscriptions if subscription.get("state") in _USABLE_STATES]
    if len(usable) == 1:
        return _checked(usable[0])
    if not usable:
        raise SubscriptionError(
            "this account sees no usable subscription, of these in all: " + str(len(subscriptions)),
            hint="sign in to another tenant with: az login --tenant TENANT",
        )
    names = ", ".join(f"{one['subscriptionId']} ({one.get('displayName', '')})" for one in usable)
    raise SubscriptionError(
        f"this account has several subscriptions, name one of them: {names}",
        hint=f"set subscription in the run file, or: export {SUBSCRIPTION_VARIABLE}=ID",
    )
