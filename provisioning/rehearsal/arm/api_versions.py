"""Which api-versions each resource type knows: those that today's SDKs send, newest first, and a few older ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.regions import REGIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMPUTE = ("2026-04-01", "2025-04-01", "2024-11-01", "2024-07-01")
_NETWORK = ("2026-03-01", "2025-05-01", "2025-01-01", "2024-05-01")
_RESOURCES = ("2025-04-01", "2022-09-01", "2021-04-01")

KNOWN: Mapping[str, tuple[str, ...]] = {
    "Microsoft.Compute/virtualMachines": _COMPUTE,
    "Microsoft.Compute/availabilitySets": _COMPUTE,
    "Microsoft.Compute/disks": ("2026-03-02", "2025-01-02", "2024-03-02"),
    "Microsoft.Compute/snapshots": ("2026-03-02", "2025-01-02", "2024-03-02"),
    "Microsoft.Compute/skus": ("2021-07-01", "2019-04-01"),
    "Microsoft.Compute/locations/usages": _COMPUTE,
    "Microsoft.Compute/locations/publishers": _COMPUTE,
    "Microsoft.Compute/locations/operations": (*_COMPUTE, "2026-03-02", "2025-01-02", "2024-03-02"),
    "Microsoft.Network/virtualNetworks": _NETWORK,
    "Microsoft.Network/networkSecurityGroups": _NETWORK,
    "Microsoft.Network/publicIPAddresses": _NETWORK,
    "Microsoft.Network/networkInterfaces": _NETWORK,
    "Microsoft.Network/locations/operations": _NETWORK,
    "Microsoft.Resources/resourceGroups": _RESOURCES,
    "Microsoft.Resources/resources": _RESOURCES,
    "Microsoft.Resources/providers": _RESOURCES,
    "Microsoft.Resources/operationresults": _RESOURCES,
    "Microsoft.Resources/subscriptions": ("2022-12-01", "2021-01-01", "2020-01-01", "2016-06-01"),
    "Microsoft.ResourceGraph/resources": ("2024-04-01", "2022-10-01", "2021-03-01", "2020-04-01-preview"),
    "Microsoft.DevTestLab/schedules": ("2018-09-15",),
    "Microsoft.Authorization/locks": ("2020-05-01", "2017-04-01", "2016-09-01"),
    "Microsoft.Authorization/roleAssignments": ("2022-04-01", "2020-04-01-preview"),
    "Microsoft.Authorization/permissions": ("2022-04-01", "2018-07-01", "2015-07-01"),
}


def check_api_version(version: str | None, resource_type: str) -> None:
    """Refuse a missing, malformed or unknown api-version.

    Raises:
        ArmError: 400 MissingApiVersionParameter, InvalidApiVersionParameter or NoRegisteredProviderFound.
    """
    if not version:
        message = "The api-version query parameter (?api-version=) is required for all requests."
        raise ArmError(400, "MissingApiVersionParameter", message)
    known = KNOWN[resource_type]
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}(-preview)?", version):
        message = f"The api-version '{version}' is invalid. The supported versions are '{','.join(known)}'."
        raise ArmError(400, "InvalidApiVersionParameter", message)
    if version in known:
        return
    if resource_type.startswith("Microsoft.Resources/"):
        message = f"The api-version '{version}' is invalid. The supported versions are '{','.join(known)}'."
        raise ArmError(400, "InvalidApiVersionParameter", message)
    message = (
        f"No registered resource provider found for location '{REGIONS[0]}' and API version '{version}' for type "
        f"'{resource_type.partition('/')[2]}'. The supported api-versions are '{', '.join(known)}'."
    )
    raise ArmError(400, "NoRegisteredProviderFound", message)
