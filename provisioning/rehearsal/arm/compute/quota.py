"""Quotas: what is used, what is left, and the refusal when it is not enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.compute.references import MACHINE_TYPE
from provisioning.rehearsal.arm.compute.sizes import DEFAULT_LIMITS, SIZES
from provisioning.rehearsal.arm.errors import quota
from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.regions import check_region
from provisioning.rehearsal.arm.resources.providers import check_registered
from provisioning.rehearsal.arm.routing import Route

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.compute.sizes import Size
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.store import Resource
    from provisioning.rehearsal.arm.world import World

_TITLES = {
    "cores": "Total Regional vCPUs",
    "lowPriorityCores": "Total Regional Low-priority vCPUs",
    "virtualMachines": "Virtual Machines",
    "availabilitySets": "Availability Sets",
    "virtualMachineScaleSets": "Virtual Machine Scale Sets",
    "dedicatedVCpus": "Dedicated vCPUs",
    "StandardNCADSA100v4Family": "Standard NCADS_A100_v4 Family vCPUs",
    "StandardNCadsH100v5Family": "Standard NCadsH100v5 Family vCPUs",
    "Standard NDASv4_A100 Family": "Standard NDASv4_A100 Family vCPUs",
    "standard NDAMSv4_A100Family": "Standard NDAMSv4_A100 Family vCPUs",
    "standardNDSH100v5Family": "Standard NDSH100v5 Family vCPUs",
}
# The name of each regional limit in the text of a refusal.
_REFUSAL_NAMES = {"cores": "Total Regional Cores", "lowPriorityCores": "LowPriorityCores"}


def limit_of(world: World, region: str, name: str) -> int:
    """The limit by usage name, compared without regard to case; what is set for the region comes first."""
    regional = world.settings.regional_quota_limits.get(region, {})
    limits = (DEFAULT_LIMITS, world.settings.quota_limits, regional)
    return {key.lower(): value for each in limits for key, value in each.items()}.get(name.lower(), 0)


def used(world: World, region: str, name: str) -> int:
    """How much of a limit is used; deallocated machines count too, as on Azure."""
    return sum(_share(machine, name) for machine in world.store.all(MACHINE_TYPE) if machine.region == region)


def _share(machine: Resource, name: str) -> int:
    size = SIZES[str(machine.properties["hardwareProfile"]["vmSize"]).lower()]
    if name == "virtualMachines":
        return 1
    spot = machine.properties.get("priority", "Regular") != "Regular"
    counted = {"lowPriorityCores"} if spot else {"cores", size.family}
    return size.vcpus if name in counted else 0


def check_quota(world: World, region: str, size: Size, *, spot: bool) -> None:
    """Refuse a machine for which the subscription has not enough cores.

    Raises:
        ArmError: 409 OperationNotAllowed with the numbers in its text.
    """
    for name in ("lowPriorityCores",) if spot else (size.family, "cores"):
        limit, taken = limit_of(world, region, name), used(world, region, name)
        if taken + size.vcpus > limit:
            title = _REFUSAL_NAMES.get(name, f"{name} Cores")
            raise quota(title, region, limit=limit, used=taken, more=size.vcpus)


def _list_usages(call: Call) -> Response:
    check_registered(call.world, "Microsoft.Compute/locations/usages")
    region = check_region(call.params["location"], "Microsoft.Compute/locations/usages")
    return Response(200, {"value": [_usage(call.world, region, name) for name in DEFAULT_LIMITS]})


def _usage(world: World, region: str, name: str) -> Json:
    title = _TITLES.get(name, f"{name} vCPUs")
    return {
        "limit": limit_of(world, region, name),
        "unit": "Count",
        "currentValue": used(world, region, name),
        "name": {"value": name, "localizedValue": title},
    }


ROUTES = [
    Route(
        "GET",
        "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/usages",
        _list_usages,
        "Microsoft.Compute/locations/usages",
    ),
]
