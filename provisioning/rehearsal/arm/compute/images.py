"""Marketplace images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.errors import ArmError
from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.regions import check_region
from provisioning.rehearsal.arm.routing import Route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.json_types import Json

_TYPE = "Microsoft.Compute/locations/publishers"
_HPC_VERSIONS = ("24.04.2025121001", "24.04.2026031701", "24.04.2026072901")

# publisher, offer, sku (lower case) -> versions, oldest first.
_VERSIONS: Mapping[tuple[str, str, str], tuple[str, ...]] = {
    ("microsoft-dsvm", "ubuntu-hpc", "2404"): _HPC_VERSIONS,
    ("microsoft-dsvm", "ubuntu-hpc", "2204"): ("22.04.2025121001", "22.04.2026031701", "22.04.2026072901"),
    ("canonical", "ubuntu-24_04-lts", "server"): ("24.04.202511100", "24.04.202603050", "24.04.202607210"),
    ("canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2"): ("22.04.202511120", "22.04.202607150"),
}
OS_DISK_GIB = 64


def exact_version(reference: Json) -> str:
    """The version that an image reference means.

    Raises:
        ArmError: 404 PlatformImageNotFound.
    """
    words = [str(reference.get(key, "")) for key in ("publisher", "offer", "sku", "version")]
    versions = _VERSIONS.get((words[0].lower(), words[1].lower(), words[2].lower()), ())
    version = versions[-1] if versions and words[3] == "latest" else words[3]
    if version in versions:
        return version
    message = (
        f"The platform image '{':'.join(words)}' is not available. Verify that all fields in the storage profile are "
        "correct. For more details about storage profile information, please refer to https://aka.ms/storageprofile"
    )
    raise ArmError(404, "PlatformImageNotFound", message, target="imageReference")


def _list_versions(call: Call) -> Response:
    params = call.params
    region = check_region(params["location"], _TYPE)
    wanted = (params["publisher"].lower(), params["offer"].lower(), params["sku"].lower())
    versions = _VERSIONS.get(wanted)
    if versions is None:
        message = f"Artifact: VMImage was not found: {params['publisher']}:{params['offer']}:{params['sku']}"
        raise ArmError(404, "NotFound", message)
    if call.request.query.get("$orderby", "name asc").lower() == "name desc":
        versions = versions[::-1]
    top = call.request.query.get("$top")
    shown = versions if top is None else versions[: int(top)]
    return Response(200, [_version(call, region, version) for version in shown])


def _version(call: Call, region: str, version: str) -> Json:
    params = call.params
    path = f"ArtifactTypes/VMImage/Offers/{params['offer']}/Skus/{params['sku']}/Versions/{version}"
    provider = f"/Subscriptions/{call.subscription}/Providers/Microsoft.Compute/Locations/{region}"
    return {"location": region, "name": version, "id": f"{provider}/Publishers/{params['publisher']}/{path}"}


ROUTES = [
    Route(
        "GET",
        "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/publishers/{publisher}"
        "/artifacttypes/vmimage/offers/{offer}/skus/{sku}/versions",
        _list_versions,
        _TYPE,
    ),
]
