"""Answers the Retail Prices API: filters, pages, and nobody is asked who they are."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.prices.items import all_items
from provisioning.rehearsal.arm.prices.odata import FilterError, compiled

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.http import Request
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.world import World

PATH = "/api/retail/prices"


def answer_prices(request: Request, world: World) -> Response | None:
    """Answer a call to the price feed; None when the path is not its."""
    if request.path != PATH or request.method != "GET":
        return None
    wanted = request.query.get("$filter", "")
    skip = int(request.query.get("$skip", "0"))
    try:
        is_wanted = compiled(wanted) if wanted else bool
        matching = filter(is_wanted, all_items(world))
        found = list(islice(matching, skip, skip + world.settings.price_page_items + 1))
    except FilterError as error:
        return Response(
            400, {"Error": {"Code": "BadRequest", "Message": f"Invalid OData parameters supplied: {error}"}}
        )
    return Response(200, _page(request, world, found, skip))


def _page(request: Request, world: World, found: list[Json], skip: int) -> Json:
    """One page; `found` has one item more where there is another page."""
    most = world.settings.price_page_items
    following = {**request.query, "$skip": str(skip + most)}
    more = f"{world.urls.base_url}{PATH}?{urlencode(following)}" if len(found) > most else None
    return {
        "BillingCurrency": "USD",
        "CustomerEntityId": "Default",
        "CustomerEntityType": "Retail",
        "Items": found[:most],
        "NextPageLink": more,
        "Count": len(found[:most]),
    }
