"""A survey as JSON and back, without what got no answer: that is asked again."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from provisioning.survey_types import Provider, Quota, RegionOffer, Rights, SizeOffer, SpotPrice, Survey
from provisioning.types import Account, ImageReference


def to_json(survey: Survey) -> dict[str, Any]:
    """Give plain values."""
    return {
        "at": survey.at,
        "account": asdict(survey.account),
        "rights": asdict(survey.rights),
        "providers": [asdict(one) for one in survey.providers],
        "offers": [_offer_json(one) for one in survey.offers],
        "regions": [asdict(one) for one in survey.regions],
    }


def from_json(values: dict[str, Any]) -> Survey:
    """Read what `to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: Another version wrote it, or it is damaged.
    """
    return Survey(
        at=float(values["at"]),
        account=Account(**values["account"]),
        rights=Rights(**values["rights"]),
        providers=tuple(Provider(**one) for one in values["providers"]),
        offers=tuple(_offer(one) for one in values["offers"]),
        regions=tuple(_region(one) for one in values["regions"]),
        unanswered=(),
    )


def _offer_json(offer: SizeOffer) -> dict[str, Any]:
    history = [[price.since.isoformat(), price.dollars_per_hour] for price in offer.spot_history]
    return asdict(offer) | {"spot_history": history}


def _offer(values: dict[str, Any]) -> SizeOffer:
    read = {
        "zones": tuple(values["zones"]),
        "restricted_zones": tuple(values["restricted_zones"]),
        "quotas": tuple(Quota(**one) for one in values["quotas"]),
        "spot_history": tuple(SpotPrice(datetime.fromisoformat(at), price) for at, price in values["spot_history"]),
    }
    return SizeOffer(**(values | read))


def _region(values: dict[str, Any]) -> RegionOffer:
    image = values["image"]
    return RegionOffer(**(values | {"image": None if image is None else ImageReference(**image)}))
