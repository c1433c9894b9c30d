"""What spot machines have cost lately and how often they are taken back, from Resource Graph."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from provisioning.azure.errors import translated
from provisioning.survey_types import SpotPrice

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from provisioning.azure.clients import Clients
    from provisioning.survey_types import SurveyRequest

# Source for the table, its types and the two periods: Microsoft's page on spot machines (spot-vms.md).
_PRICES = "microsoft.compute/skuspotpricehistory/ostype/location"
_EVICTIONS = "microsoft.compute/skuspotevictionrate/location"
_LARGEST_PAGE = 1000


@dataclass(frozen=True, slots=True)
class SpotMarket:
    """One size in one region.

    Attributes:
        history: Prices of the last 90 days, oldest first.
        eviction_band: Share of machines evicted in an hour, over the last 28 days, as Azure bands it; empty when
            unknown.
    """

    history: tuple[SpotPrice, ...] = ()
    eviction_band: str = ""


def ask_spot_markets(clients: Clients, request: SurveyRequest) -> Mapping[tuple[str, str], SpotMarket]:
    """The market of each size in each region, by size in lower case and region; one query for all of them.

    Raises:
        ProvisioningError: No answer.
    """
    from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

    query = QueryRequest(
        query=spot_query(request.sizes, request.regions),
        subscriptions=[clients.subscription_id],
        options=QueryRequestOptions(result_format="objectArray", top=_LARGEST_PAGE),
    )
    with translated("ask Resource Graph what spot machines cost and how often they are evicted"):
        answer = clients.graph.resources(query)
    # The package's type says an object, which is what the other result format gives.
    return read_markets(cast("list[dict[str, Any]]", answer.data))


def spot_query(sizes: Iterable[str], regions: Iterable[str]) -> str:
    """The query in the Kusto Query Language."""
    return (
        f"SpotResources | where type in~ ({_quoted((_PRICES, _EVICTIONS))})"
        f" | where sku.name in~ ({_quoted(sizes)}) | where location in~ ({_quoted(regions)})"
        " | project type, size = tostring(sku.name), location, system = tostring(properties.osType),"
        " prices = properties.spotPrices, evictions = tostring(properties.evictionRate)"
    )


def read_markets(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], SpotMarket]:
    """The rows of the query, which come in no order: prices for Linux and Windows, and evictions, each on their own."""
    histories: dict[tuple[str, str], tuple[SpotPrice, ...]] = {}
    bands: dict[tuple[str, str], str] = {}
    for row in rows:
        place = (str(row["size"]).lower(), str(row["location"]).lower())
        if str(row["type"]).lower() == _EVICTIONS:
            bands[place] = str(row.get("evictions") or "")
        elif str(row.get("system")).lower() == "linux":
            histories[place] = _history(row.get("prices") or [])
    return {
        place: SpotMarket(histories.get(place, ()), bands.get(place, "")) for place in histories.keys() | bands.keys()
    }


def _history(prices: Iterable[Mapping[str, Any]]) -> tuple[SpotPrice, ...]:
    found = [
        SpotPrice(datetime.fromisoformat(str(each["effectiveDate"])), float(each["priceUSD"]))
        for each in prices
        if each.get("effectiveDate") and each.get("priceUSD") is not None
    ]
    return tuple(sorted(found, key=lambda price: price.since))


def _quoted(values: Iterable[str]) -> str:
    escaped = (value.replace("\\", "\\\\").replace("'", "\\'") for value in values)
    return ", ".join(f"'{value}'" for value in escaped)
