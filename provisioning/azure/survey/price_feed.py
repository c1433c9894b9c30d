"""Reads the Retail Prices API: pages of meters, without sign-in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azure.core.rest import HttpRequest

from provisioning.azure.errors import translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provisioning.azure.clients import Clients

_PATH = "/api/retail/prices"
# From this version on the values of a filter are compared with regard to case.
_API_VERSION = "2023-01-01-preview"
# A page holds 1,000 meters; our questions match a few dozen.
_MOST_PAGES = 20


@dataclass(frozen=True, slots=True)
class Meter:
    """One row of the price feed.

    Attributes:
        region: Azure region.
        size: VM size as the feed spells it; empty for everything else.
        product: For example `Virtual Machines NCads A100 v4 Series Windows`.
        sku: For example `NC24ads A100 v4 Spot`.
        name: The meter's own name, for example `P30 LRS Disk`.
        unit: What the price is for, for example `1 Hour`.
        dollars: The price of one unit.
        above_units: From how many units a month on this price holds.
        since: From when on, in ISO 8601; such texts sort by time.
    """

    region: str
    size: str
    product: str
    sku: str
    name: str
    unit: str
    dollars: float
    above_units: float
    since: str


def one_of(name: str, values: Iterable[str]) -> str:
    """The part of a filter that lets `name` be any of the values."""
    quoted = (value.replace("'", "''") for value in values)
    return "(" + " or ".join(f"{name} eq '{value}'" for value in quoted) + ")"


def read_meters(clients: Clients, what: str, *conditions: str) -> tuple[Meter, ...]:
    """Every pay-as-you-go meter that meets all the conditions.

    Args:
        clients: Clients of the cloud.
        what: What the prices are of, for errors.
        conditions: Parts of an OData filter.

    Raises:
        ProvisioningError: No answer, or too many requests for longer than we wait.
    """
    wanted = " and ".join(["priceType eq 'Consumption'", *conditions])
    request = HttpRequest(
        "GET",
        f"{clients.endpoint.prices_url}{_PATH}",
        params={"api-version": _API_VERSION, "$filter": wanted},
    )
    found: list[Meter] = []
    for _ in range(_MOST_PAGES):
        with translated(f"read the prices of {what}"):
            response = clients.prices.send_request(request)
            response.raise_for_status()
            page = response.json()
        found += [read_meter(item) for item in page.get("Items") or []]
        if not page.get("NextPageLink"):
            break
        request = HttpRequest("GET", str(page["NextPageLink"]))
    return tuple(found)


def read_meter(item: Mapping[str, Any]) -> Meter:
    """One item of the API's answer."""
    return Meter(
        region=str(item.get("armRegionName", "")),
        size=str(item.get("armSkuName", "")),
        product=str(item.get("productName", "")),
        sku=str(item.get("skuName", "")),
        name=str(item.get("meterName", "")),
        unit=str(item.get("unitOfMeasure", "")),
        dollars=float(item.get("retailPrice", 0.0)),
        above_units=float(item.get("tierMinimumUnits", 0.0)),
        since=str(item.get("effectiveStartDate", "")),
    )
