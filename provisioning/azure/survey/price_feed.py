"""Reads the Retail Prices API: pages of meters, without sign-in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from azure.core.rest import HttpRequest

from provisioning.azure.errors import translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from provisioning.azure.clients import Clients

_PATH = "/api/retail/prices"
# From this version on the values of a filter are compared with regard to case.
_API_VERSION = "2023-01-01-preview"
# A page holds 1,000 meters; our questions match a few dozen.
_MOST_PAGES = 20
# ASP.NET's OData library refuses by default what has more than 100 nodes, four to each value: so at most ten regions
# and ten names in one question.
_MOST_VALUES = 10


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


def read_meters(
    clients: Clients, service: str, regions: Sequence[str], name: str, values: Sequence[str]
) -> tuple[Meter, ...]:
    """Every pay-as-you-go meter of a service in these regions whose property `name` has one of the values.

    Args:
        clients: Clients of the cloud.
        service: The service, for example `Storage`.
        regions: Azure regions.
        name: A property of the feed's items, for example `meterName`.
        values: Its values, spelt as the feed spells them.

    Raises:
        ProvisioningError: No answer, or too many requests for longer than we wait.
    """
    found: list[Meter] = []
    for some_regions, some_values in product(_groups(regions), _groups(values)):
        wanted = (
            f"priceType eq 'Consumption' and serviceName eq '{service}' and {one_of('armRegionName', some_regions)}"
            f" and {one_of(name, some_values)}"
        )
        found += _read_pages(clients, service, wanted)
    return tuple(found)


def _read_pages(clients: Clients, service: str, wanted: str) -> Iterator[Meter]:
    request = HttpRequest(
        "GET", f"{clients.endpoint.prices_url}{_PATH}", params={"api-version": _API_VERSION, "$filter": wanted}
    )
    for _ in range(_MOST_PAGES):
        with translated(f"read the prices of the service {service}"):
            response = clients.prices.send_request(request)
            response.raise_for_status()
            page = response.json()
        yield from (read_meter(item) for item in page.get("Items") or [])
        if not page.get("NextPageLink"):
            return
        request = HttpRequest("GET", str(page["NextPageLink"]))


def _groups(values: Sequence[str]) -> Iterator[Sequence[str]]:
    return (values[start : start + _MOST_VALUES] for start in range(0, len(values), _MOST_VALUES))


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
