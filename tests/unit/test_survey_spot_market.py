"""Rows of Resource Graph become one market for each size and region."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from provisioning.azure.survey.spot_market import SpotMarket, read_markets, spot_query
from provisioning.survey_types import SpotPrice

_HISTORY = "microsoft.compute/skuspotpricehistory/ostype/location"
_EVICTION = "microsoft.compute/skuspotevictionrate/location"


def prices(system: str, *changes: tuple[str, object]) -> dict[str, Any]:
    """A row of prices, newest first as Azure has them."""
    listed = [{"effectiveDate": date, "priceUSD": price} for date, price in changes]
    return {"type": _HISTORY, "size": "standard_d2s_v5", "location": "eastus", "system": system, "prices": listed}


def test_history_and_band_of_one_place() -> None:
    """Linux alone counts, oldest price first; a price may come as text."""
    rows = [
        prices("windows", ("2026-11-01T00:00:00Z", 9.0)),
        prices("Linux", ("2026-11-01T00:00:00Z", "0.02"), ("2026-09-01T00:00:00Z", 0.03)),
        {"type": _EVICTION, "size": "standard_d2s_v5", "location": "eastus", "system": "", "evictions": "5-10"},
    ]
    history = (SpotPrice(datetime(2026, 9, 1, tzinfo=UTC), 0.03), SpotPrice(datetime(2026, 11, 1, tzinfo=UTC), 0.02))
    assert read_markets(rows) == {("standard_d2s_v5", "eastus"): SpotMarket(history, "5-10")}


def test_half_a_market() -> None:
    """Either half may be missing."""
    assert read_markets([prices("linux")]) == {("standard_d2s_v5", "eastus"): SpotMarket()}
    row = {"type": _EVICTION.upper(), "size": "Standard_X", "location": "EastUS", "evictions": "20+"}
    assert read_markets([row]) == {("standard_x", "eastus"): SpotMarket((), "20+")}


def test_query_quotes_its_values() -> None:
    """A quote inside a value cannot end it."""
    assert r"sku.name in~ ('a', 'b\'c')" in spot_query(["a", "b'c"], ["eastus"])
