"""A question that fails or takes too long does not spoil the others; one about the account ends them all."""

from __future__ import annotations

import threading
from typing import NoReturn

import pytest

from provisioning.azure.survey.interview import Interview, Pending
from provisioning.errors import (
    ProvisioningError,
    RightsError,
    SignInError,
    SubscriptionError,
    ThrottledError,
    TransientError,
)
from provisioning.survey_types import Topic


def raising(error: ProvisioningError) -> Pending[int]:
    """A question that ends in an error."""

    def question() -> NoReturn:
        raise error

    return Pending(Topic.QUOTA, "eastus", question)


def test_answers_and_what_was_not_asked() -> None:
    """A question that was not asked has the fallback, and does not count as unanswered."""
    interview = Interview()
    assert interview.answer(Pending(Topic.QUOTA, "eastus", lambda: 7), 0) == 7
    assert interview.answer(None, 3) == 3
    assert interview.unanswered == ()


def test_failed_question_is_noted() -> None:
    """Why there is no answer is kept, with what was asked and where."""
    interview, error = Interview(), RightsError("not allowed: reading")
    assert interview.answer(raising(error), 0) == 0
    (noted,) = interview.unanswered
    assert (noted.topic, noted.region, noted.error) == (Topic.QUOTA, "eastus", error)


def test_passing_trouble_advises_to_ask_again() -> None:
    """Before anything is created there is no run to resume."""
    interview = Interview()
    interview.answer(raising(ThrottledError("too many requests", hint="llamalift resume RUN", code="429")), 0)
    (noted,) = interview.unanswered
    assert (type(noted.error), noted.error.code) == (ThrottledError, "429")
    assert noted.error.hint == "ask again with: llamalift plan RUN.yaml"


def test_slow_question_is_left_behind() -> None:
    """Each question has its own deadline; its thread does not hold the survey up."""
    interview, release = Interview(), threading.Event()
    slow = Pending(Topic.IMAGE, "westus3", release.wait, seconds=0.01)
    assert interview.answer(slow, None) is None
    release.set()
    (noted,) = interview.unanswered
    assert isinstance(noted.error, TransientError)
    assert noted.error.fact.endswith("asked about: image in westus3")
    assert noted.error.hint


@pytest.mark.parametrize(
    "error",
    [SignInError("no usable sign-in"), SubscriptionError("it is disabled", code="ReadOnlyDisabledSubscription")],
)
def test_trouble_with_the_account_ends_everything(error: ProvisioningError) -> None:
    """No other question would get an answer either."""
    with pytest.raises(type(error)):
        Interview().answer(raising(error), 0)


def test_unregistered_provider_spoils_only_its_own_answer() -> None:
    """The subscription is fine; that the provider waits to be registered is an answer of its own."""
    interview = Interview()
    error = SubscriptionError("not registered", code="MissingSubscriptionRegistration")
    assert interview.answer(raising(error), 0) == 0
    assert len(interview.unanswered) == 1
