"""What is known of the cloud, and how old it is. Prices keep longer than limits. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provisioning.survey_types import EVERYTHING, RegionOffer, SizeOffer, Survey, Topic, Unanswered

if TYPE_CHECKING:
    from collections.abc import Iterable

# Prices change a few times a month, spot prices within days; limits change with every machine of the subscription.
MARKET = frozenset({Topic.PRICES, Topic.SPOT})
ACCOUNT = EVERYTHING - MARKET
MARKET_SECONDS, ACCOUNT_SECONDS = 3600.0, 600.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What the cloud said, and when.

    Attributes:
        survey: The answers; None when nobody was asked and nothing was kept.
        account_at: When it told of rights, sizes, limits and images, in seconds since the epoch; None: never.
        market_at: When it told of prices and the spot market; None: never.
        is_offline: Nobody was asked now, on purpose.
    """

    survey: Survey | None
    account_at: float | None = None
    market_at: float | None = None
    is_offline: bool = False


NOTHING = Facts(None)


def stale_topics(facts: Facts, now: float) -> frozenset[Topic]:
    """Give what must be asked again."""
    stale: frozenset[Topic] = frozenset()
    if facts.survey is None or facts.account_at is None or now - facts.account_at > ACCOUNT_SECONDS:
        stale |= ACCOUNT
    if facts.survey is None or facts.market_at is None or now - facts.market_at > MARKET_SECONDS:
        stale |= MARKET
    return stale


def joined(known: Facts, asked: Survey, topics: frozenset[Topic]) -> Facts:
    """Put fresh answers to some topics over what was known; both belong to the same request."""
    account_at = asked.at if topics >= ACCOUNT else known.account_at
    market_at = asked.at if topics >= MARKET else known.market_at
    if known.survey is None or topics >= EVERYTHING:
        return Facts(asked, account_at, market_at)
    account, market = (asked, known.survey) if topics >= ACCOUNT else (known.survey, asked)
    kept = [one for one in known.survey.unanswered if one.topic not in topics]
    return Facts(_with_market(account, market, (*kept, *asked.unanswered)), account_at, market_at)


def answered(survey: Survey, topics: frozenset[Topic]) -> bool:
    """Whether every question of some topics was answered: only then are the answers worth keeping."""
    return not any(one.topic in topics for one in survey.unanswered)


def _with_market(account: Survey, market: Survey, unanswered: Iterable[Unanswered]) -> Survey:
    sizes = {(one.size, one.region): one for one in market.offers}
    regions = {one.region: one for one in market.regions}
    return replace(
        account,
        at=market.at,
        offers=tuple(_size(one, sizes.get((one.size, one.region))) for one in account.offers),
        regions=tuple(_region(one, regions.get(one.region)) for one in account.regions),
        unanswered=tuple(unanswered),
        topics=account.topics | market.topics,
    )


def _size(account: SizeOffer, market: SizeOffer | None) -> SizeOffer:
    if market is None:
        return account
    return replace(
        account,
        on_demand_dollars_per_hour=market.on_demand_dollars_per_hour,
        spot_dollars_per_hour=market.spot_dollars_per_hour,
        eviction_band=market.eviction_band,
        spot_history=market.spot_history,
    )


def _region(account: RegionOffer, market: RegionOffer | None) -> RegionOffer:
    return account if market is None else replace(market, image=account.image)
