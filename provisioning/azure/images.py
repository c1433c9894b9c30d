"""Turns an image's `latest` into the version that it is today, so that a run can be repeated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from provisioning.azure.errors import translated
from provisioning.errors import RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioning.azure.clients import Clients
    from provisioning.types import ImageReference

LATEST = "latest"


def resolve_image(clients: Clients, region: str, image: ImageReference) -> ImageReference:
    """`image` with an exact version; one that has a version already is returned as it is.

    Raises:
        RequestRefusedError: The region has no version of it.
    """
    if image.version != LATEST:
        return image
    versions = _versions(clients, region, image)
    if not versions:
        raise RequestRefusedError(
            f"no version of this image is on offer in {region}: {image}",
            hint="check machine.image in the run file, or see what there is with: "
            f"az vm image list --location {region} --publisher {image.publisher} --all --output table",
        )
    return replace(image, version=newest(versions))


def find_image(clients: Clients, region: str, image: ImageReference) -> ImageReference | None:
    """`image` with an exact version that the region offers, or None when it does not.

    Raises:
        ProvisioningError: No answer.
    """
    versions = _versions(clients, region, image)
    wanted = newest(versions) if versions and image.version == LATEST else image.version
    return replace(image, version=wanted) if wanted in versions else None


def _versions(clients: Clients, region: str, image: ImageReference) -> list[str]:
    """Those on offer; none where the region does not know the image."""
    from azure.core.exceptions import ResourceNotFoundError

    with translated(f"list the versions of the image {image} in {region}"):
        try:
            offered = clients.compute.virtual_machine_images.list(region, image.publisher, image.offer, image.sku)
        except ResourceNotFoundError:
            return []
    return [one.name for one in offered if one.name]


def newest(versions: Sequence[str]) -> str:
    """The highest version, by its numbers."""
    return max(versions, key=_as_numbers)


def _as_numbers(version: str) -> tuple[int, ...]:
    """`24.04.2026072901` as numbers: as text, `9` would come after `10`."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
