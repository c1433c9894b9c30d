"""What the cloud said is kept for a while, with its age; what it did not say is asked again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provisioning.errors import TransientError
from provisioning.survey_types import EVERYTHING, SurveyRequest, Topic, Unanswered
from provisioning.types import ImageReference
from runs.plan.facts import (
    ACCOUNT,
    ACCOUNT_SECONDS,
    MARKET,
    MARKET_SECONDS,
    NOTHING,
    Facts,
    answered,
    joined,
    stale_topics,
)
from runs.plan.facts_cache import FactsCache
from runs.plan.survey_json import from_json, to_json
from runs.state_folder import StateFolder
from tests.fakes.surveys import A100, AT, SUBSCRIPTION, offer, quotas, region, survey

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = SurveyRequest((A100,), ("eastus",), ImageReference("a", "b", "c"), 1024, "Premium_LRS")
KNOWN = Facts(survey(), AT, AT)


@pytest.mark.parametrize(
    ("age", "topics"),
    [
        (0.0, frozenset()),
        (ACCOUNT_SECONDS, frozenset()),
        (ACCOUNT_SECONDS + 1, ACCOUNT),
        (MARKET_SECONDS, ACCOUNT),
        (MARKET_SECONDS + 1, EVERYTHING),
    ],
)
def test_limits_grow_old_before_prices(age: float, topics: frozenset[Topic]) -> None:
    """Ten minutes against an hour; what is fresh is not asked again."""
    assert stale_topics(KNOWN, AT + age) == topics


def test_everything_is_asked_when_nothing_is_known() -> None:
    """The first time."""
    assert stale_topics(NOTHING, AT) == EVERYTHING
    assert EVERYTHING == ACCOUNT | MARKET


def test_fresh_limits_go_over_kept_prices() -> None:
    """A survey that was narrowed to limits has no prices: the kept ones stay, with their age."""
    narrow = replace(
        survey(
            offer(quotas=quotas(family=0), on_demand_dollars_per_hour=None, spot_dollars_per_hour=None,
                  eviction_band="", spot_history=()),
            regions=(region(disk_dollars_per_hour=None, address_dollars_per_hour=None),),
        ),
        at=AT + 1000,
    )  # fmt: skip
    facts = joined(Facts(survey(offer()), AT, AT), narrow, ACCOUNT)
    assert facts.survey is not None
    [one] = facts.survey.offers
    assert one == offer(quotas=quotas(family=0))
    assert facts.survey.regions == (region(),)
    assert (facts.account_at, facts.market_at, facts.survey.at) == (AT + 1000, AT, AT)


def test_fresh_prices_go_over_kept_limits() -> None:
    """The other way round: limits and image stay, prices and their time are new."""
    narrow = replace(
        survey(
            offer(is_offered=None, zones=(), vcpus=0, quotas=(), spot_dollars_per_hour=3.0),
            regions=(region(image=None, address_dollars_per_hour=0.006),),
        ),
        at=AT + 5000,
    )
    facts = joined(Facts(survey(offer()), AT, AT), narrow, MARKET)
    assert facts.survey is not None
    assert facts.survey.offers == (offer(spot_dollars_per_hour=3.0),)
    assert facts.survey.regions == (region(address_dollars_per_hour=0.006),)
    assert (facts.account_at, facts.market_at, facts.survey.at) == (AT, AT + 5000, AT + 5000)


def test_an_answer_that_did_not_come_is_told_until_it_comes() -> None:
    """Fresh answers replace what was unanswered of the same topics only."""
    old = survey(offer(), unanswered=(Unanswered(Topic.PRICES, "", TransientError("no answer")),))
    facts = joined(Facts(old, AT, AT), survey(offer()), ACCOUNT)
    assert facts.survey is not None
    assert [one.topic for one in facts.survey.unanswered] == [Topic.PRICES]
    assert not answered(old, EVERYTHING)
    assert answered(old, ACCOUNT)


def test_a_survey_reads_back_as_it_was_written() -> None:
    """Every field of it, through JSON."""
    assert from_json(json.loads(json.dumps(to_json(survey())))) == survey()
    without = survey(offer(), regions=(region(image=None),))
    assert from_json(json.loads(json.dumps(to_json(without)))) == without


def test_facts_are_kept_for_their_subscription_and_their_questions(tmp_path: Path) -> None:
    """Another subscription, other sizes or another cloud know nothing of them; no subscription means the last."""
    state = StateFolder(tmp_path)
    cache = FactsCache(state, "azure", REQUEST)
    cache.write(KNOWN)
    assert cache.read(SUBSCRIPTION) == KNOWN
    assert cache.read(None) == KNOWN
    assert cache.read("another") == NOTHING
    assert FactsCache(state, "rehearsal", REQUEST).read(None) == NOTHING
    assert FactsCache(state, "azure", replace(REQUEST, regions=("westus3",))).read(None) == NOTHING
    assert FactsCache(state, "azure", replace(REQUEST, topics=ACCOUNT)).read(None) == KNOWN


def test_kept_facts_are_nobody_elses(tmp_path: Path) -> None:
    """The file tells what the account may do."""
    FactsCache(StateFolder(tmp_path), "azure", REQUEST).write(KNOWN)
    [file] = (tmp_path / "facts").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 99}', '{"version": 1, "survey": {"at": "x"}}'])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    """The next plan asks again and writes it anew."""
    cache = FactsCache(StateFolder(tmp_path), "azure", REQUEST)
    cache.write(KNOWN)
    [file] = (tmp_path / "facts").iterdir()
    file.write_text(text)
    assert cache.read(SUBSCRIPTION) == NOTHING
    cache.write(KNOWN)
    assert cache.read(SUBSCRIPTION) == KNOWN


def test_old_files_go(tmp_path: Path) -> None:
    """Whoever plans a lot does not fill a disk."""
    for number in range(60):
        FactsCache(StateFolder(tmp_path), "azure", replace(REQUEST, workspace_gib=number)).write(KNOWN)
    assert len(list((tmp_path / "facts").iterdir())) == 50


def test_a_place_that_cannot_be_written_costs_no_answer(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "facts").write_text("")
    cache = FactsCache(StateFolder(tmp_path), "azure", REQUEST)
    cache.write(KNOWN)
    assert cache.read(SUBSCRIPTION) == NOTHING
