"""The one call that Resource Graph has: a query in, rows out, a page at a time, a quota per user."""

from __future__ import annotations

import base64
import copy
import json
from functools import partial
from typing import TYPE_CHECKING

from provisioning.rehearsal.arm.graph.problems import bad_request
from provisioning.rehearsal.arm.graph.query import run_query
from provisioning.rehearsal.arm.graph.tables import TABLES
from provisioning.rehearsal.arm.http import Response
from provisioning.rehearsal.arm.routing import Route

if TYPE_CHECKING:
    from provisioning.rehearsal.arm.call import Call
    from provisioning.rehearsal.arm.json_types import Json
    from provisioning.rehearsal.arm.world import World

_TYPE = "Microsoft.ResourceGraph/resources"
_LARGEST_PAGE = 1000
_DEFAULT_PAGE = 100


def _query(call: Call) -> Response:
    world, body = call.world, call.request.json()
    headers = world.graph_quota.take(world.settings.graph_queries_per_window)
    options = body.get("options") or {}
    _check_subscriptions(world, body.get("subscriptions"))
    known = world.store.as_of(world.settings.graph_lag_seconds)
    tables = {name: partial(table, world, known) for name, table in TABLES.items()}
    rows = run_query(str(body.get("query") or ""), tables)
    return Response(200, _page(rows, options), headers)


def _check_subscriptions(world: World, asked: list[str] | None) -> None:
    """None asks everywhere, which is here; naming only others finds nothing to look at."""
    if asked and world.account.subscription_id not in {each.lower() for each in asked}:
        message = (
            "There must be at least one subscription that is eligible to contain resources. Given: "
            f"'{','.join(asked)}'."
        )
        raise bad_request({"code": "NoValidSubscriptionsInQueryRequest", "message": message})


def _page(rows: list[Json], options: Json) -> Json:
    first, size = _place(options)
    page = copy.deepcopy(rows[first : first + size])
    more = first + size < len(rows)
    answer: Json = {"totalRecords": len(rows), "count": len(page), "data": _formatted(page, options), "facets": []}
    # Resource Graph can only go on where rows have an id; without, the rest is cut off.
    has_ids = all("id" in row for row in page)
    answer["resultTruncated"] = "true" if more and not has_ids else "false"
    if more and has_ids:
        answer["$skipToken"] = _token(first + size, size)
    return answer


def _formatted(page: list[Json], options: Json) -> Json | list[Json]:
    """Rows as objects, or as a table with columns."""
    if str(options.get("resultFormat", "objectArray")).lower() != "table":
        return page
    names = list(page[0]) if page else []
    return {
        "columns": [{"name": name, "type": _column_type(page, name)} for name in names],
        "rows": [[row[name] for name in names] for row in page],
    }


def _column_type(page: list[Json], name: str) -> str:
    return "string" if any(isinstance(row[name], str) for row in page) else "object"


def _place(options: Json) -> tuple[int, int]:
    token = _untoken(str(options["$skipToken"])) if options.get("$skipToken") else {}
    size = int(options.get("$top") or token.get("size", _DEFAULT_PAGE))
    first = int(options["$skip"]) if options.get("$skip") is not None else int(token.get("first", 0))
    if not 1 <= size <= _LARGEST_PAGE or first < 0:
        message = f"The page size must be between 1 and {_LARGEST_PAGE}, and nothing less than nothing can be skipped."
        raise bad_request({"code": "InvalidPaging", "message": message})
    return first, size


def _token(first: int, size: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"first": first, "size": size}).encode()).decode()


def _untoken(text: str) -> Json:
    try:
        found: Json = json.loads(base64.urlsafe_b64decode(text))
    except ValueError as error:
        raise bad_request({"code": "InvalidSkipToken", "message": "The skip token is not valid."}) from error
    return found


ROUTES = [Route("POST", f"/providers/{_TYPE}", _query, _TYPE)]
