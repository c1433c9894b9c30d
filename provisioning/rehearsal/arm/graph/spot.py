"""What Resource Graph knows of spot machines: prices of 90 days and bands of evictions, made up to look like the real.

Source: the columns as Microsoft's page on spot machines queries them. The prices swing around those of the tariff and
end at today's; the bands differ by region, so that a comparison has something to find.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.compute.sizes import SIZES
from provisioning.rehearsal.arm.prices.tariff import spot_price
from provisioning.rehearsal.arm.regions import REGIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.world import World

_BANDS = ("0-5", "5-10", "10-15", "15-20", "20+")
# How many days ago a price began, and what it was in parts of today's; Azure's prices change a few times a month.
_SWINGS = ((0, 1.0), (9, 1.08), (23, 0.94), (41, 1.15), (60, 1.02), (78, 0.9), (90, 1.0))


def spot_bodies(world: World) -> Iterator[Json]:
    """Every row of the table, as resources."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for region in REGIONS:
        for size in SIZES.values():
            if not size.spot or region not in size.regions:
                continue
            name = size.name.lower()
            price = spot_price(world, size.name, region)
            for system, share in (("linux", 1.0), ("windows", 1.3)):
                prices = _history(price * share, today)
                about = {"osType": system, "spotPrices": prices}
                yield _body(world, "skuSpotPriceHistory", f"{name}/osType/{system}", region, name, about)
            band = {"evictionRate": _band(world, size.name, region)}
            yield _body(world, "skuSpotEvictionRate", name, region, name, band)


def _history(price: float, today: datetime) -> list[Json]:
    return [
        {
            "effectiveDate": (today - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "priceUSD": round(price * part, 6),
        }
        for days, part in _SWINGS
    ]


def _band(world: World, size: str, region: str) -> str:
    scripted = world.settings.eviction_bands
    known = scripted.get(f"{size}/{region}", scripted.get(size))
    return known or _BANDS[zlib.crc32(f"{size}/{region}".encode()) % len(_BANDS)]


def _body(world: World, kind: str, path: str, region: str, size: str, properties: Json) -> Json:  # noqa: PLR0917  (one row)
    root = f"/subscriptions/{world.account.subscription_id}/providers/Microsoft.Compute"
    middle = "/ostype" if "osType" in properties else ""
    return {
        "id": f"{root}/{kind}/{path}/location/{region}",
        "name": region,
        "type": f"microsoft.compute/{kind.lower()}{middle}/location",
        "location": region,
        "sku": {"name": size},
        "properties": properties,
    }
