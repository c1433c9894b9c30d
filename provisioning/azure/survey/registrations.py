"""Which resource providers of the subscription are registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.azure.errors import translated
from provisioning.survey_types import Provider

if TYPE_CHECKING:
    from provisioning.azure.clients import Clients

NEEDED = (
    "Microsoft.Compute",
    "Microsoft.Network",
    "Microsoft.Resources",
    "Microsoft.Authorization",
    "Microsoft.DevTestLab",
    "Microsoft.ResourceGraph",
)


def ask_providers(clients: Clients) -> tuple[Provider, ...]:
    """Those that a run uses, in one call; one that the subscription does not list is not registered.

    Raises:
        ProvisioningError: No answer.
    """
    with translated("list the resource providers of the subscription"):
        states = {
            str(each["namespace"]).lower(): each.get("registrationState") for each in clients.resources.providers.list()
        }
    return tuple(Provider(name, states.get(name.lower()) == "Registered") for name in NEEDED)
