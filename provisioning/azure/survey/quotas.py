"""What the usages API says of the subscription's limits in one region."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.azure.errors import translated
from provisioning.survey_types import Quota

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioning.azure.clients import Clients

REGIONAL_CORES = "cores"
SPOT_CORES = "lowPriorityCores"


def ask_quotas(clients: Clients, region: str) -> tuple[Quota, ...]:
    """Every limit of the region.

    Raises:
        ProvisioningError: No answer.
    """
    with translated(f"list the limits of the subscription in {region}"):
        return tuple(
            Quota(
                str(usage["name"]["value"]),
                str(usage["name"].get("localizedValue") or usage["name"]["value"]),
                int(usage["limit"]),
                int(usage["currentValue"]),
            )
            for usage in clients.compute.usage.list(region)
        )


def quotas_for(family: str, quotas: Iterable[Quota]) -> tuple[Quota, ...]:
    """The limits that count for a size of this family, its own first; a limit that the API does not list is left out.

    Families contain spaces, and the two APIs do not agree on their capitals.
    """
    by_name = {quota.name.lower(): quota for quota in quotas}
    names = [name.lower() for name in (family, REGIONAL_CORES, SPOT_CORES)]
    return tuple(by_name[name] for name in names if name in by_name)
