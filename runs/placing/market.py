"""What may be tried, in order, with what the cloud said of each place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provisioning.errors import ThrottledError, TransientError
from provisioning.survey_types import HEADROOM, Topic
from runs.journal.attempts import Outcome
from runs.plan.asking import survey_request
from runs.plan.obstacles import Why
from runs.plan.placements import PricedPlacement, ranked_placements
from runs.plan.verdict import offer_of, region_of

if TYPE_CHECKING:
    from provisioning.survey_types import Survey
    from provisioning.types import ImageReference, Placement, Progress
    from runs.context import RunContext

_OUTCOMES = {
    Why.QUOTA: Outcome.QUOTA,
    Why.NOT_OFFERED: Outcome.NOT_OFFERED,
    Why.ZONE: Outcome.NOT_OFFERED,
    Why.SPOT: Outcome.NOT_OFFERED,
    Why.IMAGE: Outcome.NOT_OFFERED,
    Why.MAX_PRICE: Outcome.CAPACITY,
}


@dataclass(frozen=True, slots=True)
class Market:
    """Every place that the run file allows, the first choice first.

    Attributes:
        places: With prices, and what stands in the way as far as it is known.
        survey: What the cloud said; None when it was not asked, or did not answer.
    """

    places: tuple[PricedPlacement, ...]
    survey: Survey | None

    def at(self, placement: Placement) -> PricedPlacement:
        """The price of one of the places."""
        return next(one for one in self.places if one.placement == placement)

    def knows(self, placement: Placement) -> bool:
        """Whether it is one of the places."""
        return any(one.placement == placement for one in self.places)

    def image_in(self, region: str) -> ImageReference | None:
        """The image with its exact version, as far as the cloud was asked."""
        offer = None if self.survey is None else region_of(self.survey, region)
        return None if offer is None else offer.image

    def limit_of(self, placement: Placement) -> tuple[str, str]:
        """What a limit that is met there counts for: the region, and the family of sizes (or spot) as far as known."""
        offer = None if self.survey is None else offer_of(self.survey, placement.size, placement.region)
        family = offer.family.lower() if offer is not None and offer.family else placement.size.lower()
        return placement.region, "spot" if placement.spot else family


def outcome_of_obstacle(why: Why) -> Outcome:
    """As what a place is written down that was not tried because of an obstacle."""
    return _OUTCOMES.get(why, Outcome.UNFIT)


def unasked_market(context: RunContext) -> Market:
    """The market at list prices, without asking the cloud."""
    return Market(ranked_placements(context.loaded, None), None)


def ask_market(context: RunContext, progress: Progress) -> Market:
    """The market as the cloud sees it now: sizes, limits, image, prices, rights, and for spot the evictions.

    Without an answer, as without asking.

    Raises:
        SignInError: No usable credential.
        SubscriptionError: The subscription cannot be used.
    """
    topics = HEADROOM | {Topic.PRICES, Topic.IMAGE, Topic.RIGHTS}
    if context.spec.machine.spot:
        # How often machines are evicted there decides how often the run saves.
        topics |= {Topic.SPOT}
    request = replace(survey_request(context.loaded), topics=topics)
    try:
        survey = context.cloud.survey(request, progress)
    except (TransientError, ThrottledError) as error:
        context.journal.event(context.run_id, f"going on without a survey of the cloud: {error}")
        return unasked_market(context)
    return Market(ranked_placements(context.loaded, survey), survey)
