"""The filters that the rehearsal price feed understands mean what they mean on Azure."""

from __future__ import annotations

import pytest

from provisioning.rehearsal.arm.prices.odata import FilterError, compiled

ITEM = {"armRegionName": "eastus", "skuName": "P30 LRS", "type": "Consumption"}


@pytest.mark.parametrize(
    ("text", "lets_through"),
    [
        ("armRegionName eq 'eastus'", True),
        ("armRegionName eq 'EastUS'", False),
        ("priceType eq 'Consumption' and armRegionName eq 'westus'", False),
        ("armRegionName eq 'westus' or skuName eq 'P30 LRS' and priceType eq 'Consumption'", True),
        ("(armRegionName eq 'westus' or skuName eq 'P30 LRS') and priceType eq 'Reservation'", False),
        ("contains(skuName, 'P30')", True),
        ("skuName eq 'it''s'", False),
    ],
)
def test_filters(text: str, lets_through: bool) -> None:  # noqa: FBT001  (a table)
    """`and` binds before `or`, values are compared with regard to case."""
    assert compiled(text)(ITEM) is lets_through


@pytest.mark.parametrize(
    "text", ["", "skuName", "skuName eq P30", "skuName eq 'a' skuName eq 'b'", "(skuName eq 'a'", "skuName ne 'a'", "§"]
)
def test_what_is_not_understood(text: str) -> None:
    """A filter that the feed does not know is refused, never ignored."""
    with pytest.raises(FilterError):
        compiled(text)(ITEM)


def test_unknown_property() -> None:
    """A misspelt property is an error too."""
    with pytest.raises(FilterError, match="armRegion"):
        compiled("armRegion eq 'eastus'")(ITEM)
