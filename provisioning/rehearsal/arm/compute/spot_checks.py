"""Why a spot machine is refused. Codes and wording: Microsoft's page on error codes for spot machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.prices.tariff import spot_price

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.compute.sizes import Size
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.world import World

_UP_TO_THE_LIST_PRICE = -1


def is_spot(properties: Json) -> bool:
    """Whether the machine is to be a spot machine."""
    return str(properties.get("priority", "Regular")) != "Regular"


def check_spot(world: World, properties: Json, size: Size, region: str) -> None:
    """Refuse what contradicts itself, and a price below today's.

    Raises:
        ArmError: 409 with one of the codes of spot machines.
    """
    if not is_spot(properties):
        if properties.get("evictionPolicy"):
            message = "Eviction policy can be set only on Azure Spot Virtual Machines."
            raise ArmError(409, "EvictionPolicyCanBeSetOnlyOnAzureSpotVirtualMachines", message)
        return
    if not size.spot:
        message = f"Azure Spot is not supported for this VM size: {size.name}."
        raise ArmError(409, "AzureSpotIsNotSupportedForThisVMSize", message)
    most = (properties.get("billingProfile") or {}).get("maxPrice", _UP_TO_THE_LIST_PRICE)
    if most == _UP_TO_THE_LIST_PRICE:
        return
    if most <= 0:
        message = "The max price must be -1 or greater than zero."
        raise ArmError(409, "MaxPriceValueInvalid", message)
    now = spot_price(world, size.name, region)
    if most < now:
        message = (
            f"Unable to perform operation 'Create VM' since the provided max price '{most} USD' is lower than the "
            f"current spot price '{now} USD' for Azure Spot VM size '{size.name}'."
        )
        raise ArmError(409, "SpotPriceGreaterThanProvidedMaxPrice", message)
