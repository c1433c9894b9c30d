"""What the cloud said that is worth a line: a better place, what will be registered, what nobody could tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.plan.obstacles import Why
from runs.plan.prices import SNAPSHOT_DATE
from runs.plan.saves import rate_from_band
from runs.plan.verdict import offer_of
from templates.training.save_schedule import optimum_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioning.survey_types import Survey
    from runs.plan.facts import Facts
    from runs.plan.placements import PricedPlacement
    from runs.plan.saves import SavePlan

# Less than this share is not worth another region's data and habits.
_CHEAPER_SHARE = 0.05


def cloud_notes(
    facts: Facts,
    chosen: PricedPlacement,
    placements: Iterable[PricedPlacement],
    saves: SavePlan | None,
    *,
    is_wish: bool,
) -> Iterator[str]:
    """Yield what is worth knowing of what the cloud said, or did not."""
    survey = facts.survey
    if survey is None:
        if facts.is_offline:
            yield f"offline: nobody was asked and nothing was kept; list prices of {SNAPSHOT_DATE}, limits unknown"
        return
    yield from _unregistered(survey)
    if chosen.obstacle is None:
        if not is_wish:
            yield from _better(survey, chosen, [one for one in placements if one.obstacle is None])
        yield from _passed_zones(chosen, placements)
        yield from _moving_price(survey, chosen)
        yield from _unbounded_recipe(survey, chosen, saves)
    unanswered = dict.fromkeys((one.topic, one.region, one.error.fact) for one in survey.unanswered)
    for topic, region, fact in unanswered:
        yield f"no answer about {topic}{f' in {region}' if region else ''}, so that is unknown: {fact}"


def _unregistered(survey: Survey) -> Iterator[str]:
    missing = [one.namespace for one in survey.providers if not one.is_registered]
    if missing:
        yield f"not registered with this subscription; `llamalift up` registers it: {', '.join(missing)}"


def _passed_zones(chosen: PricedPlacement, placements: Iterable[PricedPlacement]) -> Iterator[str]:
    place = chosen.placement
    for one in placements:
        same = (one.placement.size, one.placement.region) == (place.size, place.region)
        if same and one.obstacle is not None and one.obstacle.why is Why.ZONE:
            yield f"{place.region}: {one.obstacle.fact}"


def _unbounded_recipe(survey: Survey, chosen: PricedPlacement, saves: SavePlan | None) -> Iterator[str]:
    """The recipe's literal way keeps no eviction bound; the shrinking schedule does (runs/plan/saves.py)."""
    rate = rate_from_band(_band(survey, chosen))
    if not chosen.placement.spot or saves is None or saves.relaunching is None or rate is None:
        return
    best = optimum_seconds(saves.save_seconds, 3600 / rate)
    if best < saves.at_risk_seconds:
        yield (
            f"with {_band(survey, chosen)} % evictions an hour a save every {best / 60:.0f} minutes would lose least "
            f"(Young-Daly); the relaunched recipe goes {saves.at_risk_seconds / 60:.0f} minutes without one"
        )


def _moving_price(survey: Survey, chosen: PricedPlacement) -> Iterator[str]:
    """The machine's own dollar limit knows one price an hour; a spot price moves."""
    offer = offer_of(survey, chosen.placement.size, chosen.placement.region)
    if not chosen.placement.spot or offer is None or offer.spot_dollars_per_hour is None:
        return
    most = max((price.dollars_per_hour for price in offer.spot_history), default=None)
    known = "" if most is None else f" (in 90 days it was at most ${most:.2f})"
    yield f"the dollar limit counts with today's spot price{known}; machine.max_price bounds what an hour may cost"


def _better(survey: Survey, chosen: PricedPlacement, open_places: list[PricedPlacement]) -> Iterator[str]:
    """A place that is cheaper, and one whose spot machines are evicted less: the run file's order may be changed."""
    others = [one for one in open_places if one.placement.region != chosen.placement.region]
    own = _whole(chosen)
    cheapest = min(others, key=_whole, default=chosen)
    if _whole(cheapest) < own * (1 - _CHEAPER_SHARE):
        less = f"${chosen.dollars_per_hour - cheapest.dollars_per_hour:.2f} an hour cheaper"
        yield f"{_named(cheapest, chosen)} is {less} than {chosen.placement.region}"
    if chosen.placement.spot:
        yield from _safer(survey, chosen, others)


def _safer(survey: Survey, chosen: PricedPlacement, others: list[PricedPlacement]) -> Iterator[str]:
    own = _band(survey, chosen)
    safer = [one for one in others if own and _band(survey, one) and _lowest(_band(survey, one)) < _lowest(own)]
    if safer:
        best = min(safer, key=lambda one: (_lowest(_band(survey, one)), one.dollars_per_hour))
        more = best.dollars_per_hour - chosen.dollars_per_hour
        price = f"${abs(more):.2f} an hour {'dearer' if more > 0 else 'cheaper'}"
        yield (
            f"spot machines in {chosen.placement.region} are evicted {own} % an hour; "
            f"{_named(best, chosen)}: {_band(survey, best)} %, {price}"
        )


def _whole(one: PricedPlacement) -> float:
    return one.dollars_per_step if one.dollars is None else one.dollars


def _named(one: PricedPlacement, chosen: PricedPlacement) -> str:
    size = f" ({one.placement.size})" if one.placement.size != chosen.placement.size else ""
    return f"{one.placement.region}{size}"


def _band(survey: Survey, one: PricedPlacement) -> str:
    offer = offer_of(survey, one.placement.size, one.placement.region)
    return offer.eviction_band if offer else ""


def _lowest(band: str) -> float:
    """The lower end of `5-10` or `20+`."""
    return float(band.rstrip("+").split("-")[0])
