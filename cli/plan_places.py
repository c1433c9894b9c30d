"""Where a run could be: a table of places side by side, or of offers for a wish, and why not where not."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from runs.plan.obstacles import Why
from runs.plan.verdict import REGIONAL_CORES, SPOT_POOL, counting_quotas, offer_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.text import Text

    from provisioning.survey_types import Quota, SizeOffer
    from runs.plan.placements import PricedPlacement
    from runs.plan.plan import Plan

_GAP = "  "
# Every limit and the history of the spot price where there is room, else the limit that is tightest.
_TIGHTEST, _ONLY_WIDE = "vCPUs free", ("family", "cores", "spot pool", "90 days")
_MOST_OFFERS, _MOST_OF_THE_OTHER_WAY = 6, 3
_MARK, _NO_MARK = "> ", "  "
_WORDS = {
    Why.QUOTA: "no quota",
    Why.NOT_OFFERED: "not offered",
    Why.ZONE: "not in zone",
    Why.SPOT: "no spot",
    Why.MAX_PRICE: "max_price",
    Why.IMAGE: "no image",
    Why.FIT: "too small",
    Why.DEADLINE: "too slow",
    Why.BUDGET: "too dear",
}


def places_table(plan: Plan, width: int) -> Sequence[Text]:
    """Build the lines of the table for a screen of `width` columns; what has no room is left out, the least first."""
    rows = list(_offers(plan) if plan.is_wish else _places(plan))
    columns = [name for name in rows[0] if name != _TIGHTEST]
    if _width(rows, columns) > width:
        columns = [name for name in rows[0] if name not in _ONLY_WIDE]
    for name in ("on demand",) if plan.spot else ("evicted", "spot"):
        if _width(rows, columns) > width and name in columns:
            columns.remove(name)
    return _lines(rows, columns)


def reasons(plan: Plan) -> Iterator[str]:
    """Yield why not, for each place of the table where it is more than a word."""
    seen: set[str] = set()
    for one in shown(plan):
        if one.obstacle is None:
            continue
        line = f"{_where(plan, one)}: {one.obstacle.fact}"
        if line not in seen:
            seen.add(line)
            yield line


def shown(plan: Plan) -> Sequence[PricedPlacement]:
    """Give the placements that the table has: one for each size and region, of a wish the best offers."""
    if plan.is_wish:
        # Without a price of its own, spot would only repeat what on demand costs.
        others = [one for one in plan.other_way if one.obstacle is None and _is_priced(one)]
        best = [*_of_places(plan.placements)[:_MOST_OFFERS], *_of_places(others)[:_MOST_OF_THE_OTHER_WAY]]
        return sorted(best, key=_rank)
    return _of_places(plan.placements)


def _is_priced(one: PricedPlacement) -> bool:
    return not one.placement.spot or one.machine_dollars_per_hour != one.on_demand_dollars_per_hour


def _rank(one: PricedPlacement) -> tuple[bool, float]:
    return one.obstacle is not None, one.dollars_per_step if one.dollars is None else one.dollars


def _of_places(placements: Sequence[PricedPlacement]) -> list[PricedPlacement]:
    """The best zone stands for a region: what can be had before what cannot."""
    best: dict[tuple[str, str, bool], PricedPlacement] = {}
    for one in placements:
        key = (one.placement.size, one.placement.region, one.placement.spot)
        if key not in best or (best[key].obstacle is not None and one.obstacle is None):
            best[key] = one
    return list(best.values())


def _places(plan: Plan) -> Iterator[dict[str, str]]:
    for one in shown(plan):
        offer = None if plan.survey is None else offer_of(plan.survey, one.placement.size, one.placement.region)
        mark = _MARK if one is plan.chosen else _NO_MARK
        family, cores, pool = _limits(offer)
        yield {
            "  where": f"{mark}{_where(plan, one)}",
            _TIGHTEST: _tightest(offer, spot=plan.spot),
            "family": family,
            "cores": cores,
            "spot pool": pool,
            "on demand": f"${one.on_demand_dollars_per_hour:.2f}",
            "spot": _spot(offer),
            "90 days": _history(offer),
            "evicted": _band(offer),
            "": _verdict(plan, one, offer),
        }


def _where(plan: Plan, one: PricedPlacement) -> str:
    sizes = {other.placement.size for other in plan.placements}
    size = f" {_short(one.placement.size)}" if len(sizes) > 1 else ""
    zone = f" zone {one.placement.zone}" if one.placement.zone else ""
    return f"{one.placement.region}{zone}{size}"


def _short(size: str) -> str:
    return size.removeprefix("Standard_")


def _verdict(plan: Plan, one: PricedPlacement, offer: SizeOffer | None) -> str:
    if one.obstacle is not None:
        return _WORDS[one.obstacle.why]
    if offer is None or offer.is_offered is None or not counting_quotas(offer, spot=one.placement.spot):
        return "not asked" if plan.survey is None else "unknown"
    return "ok"


def _tightest(offer: SizeOffer | None, *, spot: bool) -> str:
    quotas = [] if offer is None else counting_quotas(offer, spot=spot)
    return _free(min(quotas, key=lambda quota: quota.free, default=None))


def _limits(offer: SizeOffer | None) -> tuple[str, str, str]:
    named = {} if offer is None else {quota.name.lower(): quota for quota in offer.quotas}
    family = "" if offer is None else offer.family.lower()
    return _free(named.get(family)), _free(named.get(REGIONAL_CORES)), _free(named.get(SPOT_POOL))


def _free(quota: Quota | None) -> str:
    return "?" if quota is None else f"{quota.free} of {quota.limit}"


def _spot(offer: SizeOffer | None) -> str:
    if offer is None or offer.spot_dollars_per_hour is None:
        return "?"
    return f"${offer.spot_dollars_per_hour:.2f}"


def _band(offer: SizeOffer | None) -> str:
    return f"{offer.eviction_band} %/h" if offer and offer.eviction_band else "?"


def _history(offer: SizeOffer | None) -> str:
    prices = [] if offer is None else [price.dollars_per_hour for price in offer.spot_history]
    if not prices:
        return "?"
    return f"{min(prices):.2f} / {statistics.median(prices):.2f} / {max(prices):.2f}"


def _offers(plan: Plan) -> Iterator[dict[str, str]]:
    for one in shown(plan):
        offer = None if plan.survey is None else offer_of(plan.survey, one.placement.size, one.placement.region)
        mark = _MARK if one is plan.chosen else _NO_MARK
        verdict = _verdict(plan, one, offer)
        if one.placement.spot != plan.spot and one.obstacle is None:
            verdict = f"with spot: {str(one.placement.spot).lower()}"
        yield {
            "  size": f"{mark}{_short(one.placement.size)}",
            "where": one.placement.region,
            "terms": "spot" if one.placement.spot else "on demand",
            "hours": "?" if one.hours is None else f"{one.hours:.1f}",
            "dollars": f"${one.dollars_per_hour:.2f}/h" if one.dollars is None else f"${one.dollars:.2f}",
            "": verdict,
        }


def _width(rows: Sequence[dict[str, str]], columns: Sequence[str]) -> int:
    return sum(_widest(rows, name) for name in columns) + len(_GAP) * (len(columns) - 1)


def _widest(rows: Sequence[dict[str, str]], name: str) -> int:
    return max(len(name), *(len(row[name]) for row in rows))


def _lines(rows: Sequence[dict[str, str]], columns: Sequence[str]) -> list[Text]:
    from rich.text import Text

    heading = Text(_line({name: name for name in columns}, rows, columns).rstrip(), style="dim")
    lines = [heading]
    for row in rows:
        style = "bold" if row[columns[0]].startswith(_MARK) else ""
        words = _line(row, rows, columns)
        line = Text(words, style=style)
        if row[""]:
            line.stylize(_colour(row[""]), len(words) - len(row[""]))
        lines.append(line)
    return lines


def _line(cells: dict[str, str], rows: Sequence[dict[str, str]], columns: Sequence[str]) -> str:
    return _GAP.join(cells[name].ljust(_widest(rows, name)) for name in columns[:-1]) + _GAP + cells[columns[-1]]


def _colour(verdict: str) -> str:
    if verdict == "ok":
        return "green"
    return "dim" if verdict in {"not asked", "unknown"} or verdict.startswith("with ") else "yellow"
