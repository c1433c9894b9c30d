"""The whole survey: every question at once, the answers put together."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from provisioning.azure.images import find_image
from provisioning.azure.survey.answers import Answers, region_offers, size_offers
from provisioning.azure.survey.interview import Interview, Pending
from provisioning.azure.survey.prices import (
    ask_address_prices,
    ask_disk_prices,
    ask_egress_prices,
    ask_machine_prices,
)
from provisioning.azure.survey.quotas import ask_quotas
from provisioning.azure.survey.registrations import ask_providers
from provisioning.azure.survey.rights import ask_rights
from provisioning.azure.survey.sizes import ask_sizes
from provisioning.azure.survey.spot_market import ask_spot_markets
from provisioning.survey_types import Rights, Survey, Topic

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioning.azure.clients import Clients
    from provisioning.survey_types import SurveyRequest
    from provisioning.types import Account, Progress

AnswerT = TypeVar("AnswerT")


def take_survey(clients: Clients, account: Account, request: SurveyRequest, progress: Progress) -> Survey:
    """Ask everything that the request wants to know, side by side; seconds, and at most 20 of them.

    Raises:
        SignInError: No usable credential.
        SubscriptionError: The subscription cannot be used.
    """
    progress(f"asking about sizes, quotas and prices in {', '.join(request.regions)}")
    _open(clients, request.topics)
    questions = _Questions(clients, request)
    interview = Interview()
    rights = interview.answer(questions.rights, Rights(None, None))
    providers = interview.answer(questions.providers, ())
    answers = questions.answers(interview)
    return Survey(
        at=answers.at,
        account=account,
        rights=rights,
        providers=providers,
        offers=size_offers(request, answers),
        regions=region_offers(request, answers),
        unanswered=interview.unanswered,
        topics=request.topics,
    )


def _open(clients: Clients, topics: frozenset[Topic]) -> None:
    """Make the clients that the threads will share; each costs an import, so only those that are needed."""
    if topics & {Topic.SIZES, Topic.QUOTA, Topic.IMAGE}:
        _ = clients.compute
    if Topic.PROVIDERS in topics:
        _ = clients.resources
    if Topic.RIGHTS in topics:
        _ = clients.arm
    if Topic.PRICES in topics:
        _ = clients.prices
    if Topic.SPOT in topics:
        _ = clients.graph


class _Questions:
    """All questions of one request, on their way from the moment that this is made."""

    def __init__(self, clients: Clients, request: SurveyRequest) -> None:
        self._request = request
        self.rights = self._once(Topic.RIGHTS, lambda: ask_rights(clients))
        self.providers = self._once(Topic.PROVIDERS, lambda: ask_providers(clients))
        self._machines = self._once(Topic.PRICES, lambda: ask_machine_prices(clients, request))
        self._disks = self._once(Topic.PRICES, lambda: ask_disk_prices(clients, request))
        self._addresses = self._once(Topic.PRICES, lambda: ask_address_prices(clients, request))
        self._egress = self._once(Topic.PRICES, lambda: ask_egress_prices(clients, request))
        self._spot = self._once(Topic.SPOT, lambda: ask_spot_markets(clients, request))
        self._sizes = self._by_region(Topic.SIZES, lambda region: ask_sizes(clients, region))
        self._quotas = self._by_region(Topic.QUOTA, lambda region: ask_quotas(clients, region))
        self._images = self._by_region(Topic.IMAGE, lambda region: find_image(clients, region, request.image))

    def answers(self, interview: Interview) -> Answers:
        """Wait for them.

        Raises:
            SignInError: No usable credential.
            SubscriptionError: The subscription cannot be used.
        """
        return Answers(
            sizes={region: interview.answer(pending, None) for region, pending in self._sizes.items()},
            quotas={region: interview.answer(pending, ()) for region, pending in self._quotas.items()},
            images={region: interview.answer(pending, None) for region, pending in self._images.items()},
            machine_meters=interview.answer(self._machines, ()),
            disk_meters=interview.answer(self._disks, ()),
            address_meters=interview.answer(self._addresses, ()),
            egress_meters=interview.answer(self._egress, ()),
            spot=interview.answer(self._spot, {}),
            at=time.time(),
        )

    def _once(self, topic: Topic, question: Callable[[], AnswerT]) -> Pending[AnswerT] | None:
        return Pending(topic, "", question) if topic in self._request.topics else None

    def _by_region(self, topic: Topic, question: Callable[[str], AnswerT]) -> dict[str, Pending[AnswerT] | None]:
        def asked(region: str) -> Pending[AnswerT] | None:
            return Pending(topic, region, lambda: question(region)) if topic in self._request.topics else None

        return {region: asked(region) for region in self._request.regions}
