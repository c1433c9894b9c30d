"""The regions that the rehearsal cloud has."""

from __future__ import annotations

from provisioning.rehearsal.arm.errors import ArmError

# Regions with availability zones, and those without.
ZONAL = (
    "australiaeast",
    "canadacentral",
    "centralus",
    "eastus",
    "eastus2",
    "francecentral",
    "germanywestcentral",
    "italynorth",
    "japaneast",
    "northeurope",
    "polandcentral",
    "southcentralus",
    "southeastasia",
    "spaincentral",
    "swedencentral",
    "uksouth",
    "westeurope",
    "westus2",
    "westus3",
)
REGIONAL = ("northcentralus", "westus")
REGIONS = (*ZONAL, *REGIONAL)


def normal_region(text: str) -> str:
    """`East US` and `eastus` are the same region."""
    return text.replace(" ", "").lower()


def check_region(text: str, resource_type: str) -> str:
    """The normal name of a region.

    Raises:
        ArmError: 400 LocationNotAvailableForResourceType.
    """
    region = normal_region(text)
    if region in REGIONS:
        return region
    is_group = resource_type.lower().endswith("/resourcegroups")
    what = "resource group" if is_group else f"resource type '{resource_type}'"
    code = "LocationNotAvailableForResourceGroup" if is_group else "LocationNotAvailableForResourceType"
    message = f"The provided location '{text}' is not available for {what}. List of available regions is '"
    raise ArmError(400, code, f"{message}{','.join(REGIONS)}'.")


def check_zones(zones: list[str], region: str) -> None:
    """Refuse zones that the region has not.

    Raises:
        ArmError: 400 AvailabilityZoneNotSupported or InvalidAvailabilityZone.
    """
    if zones and region in REGIONAL:
        message = (
            f"The zone(s) '{','.join(zones)}' for resource is not supported. No zones are supported for '{region}'."
        )
        raise ArmError(400, "AvailabilityZoneNotSupported", message)
    wrong = [zone for zone in zones if zone not in {"1", "2", "3"}]
    if wrong:
        message = f"The zone(s) '{','.join(wrong)}' is not supported. The supported zones for '{region}' are '1,2,3'"
        raise ArmError(400, "AvailabilityZoneNotSupported", message)
