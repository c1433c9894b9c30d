"""Where a machine is looked for, in which order, and what each failure means for the next try."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provisioning.errors import (
    CapacityError,
    NotOfferedError,
    ProvisioningError,
    QuotaError,
    RehearsalError,
    RequestRefusedError,
    RightsError,
    SignInError,
    SubscriptionError,
    ThrottledError,
    TransientError,
)
from runs.facts import Decided, Prepared, Rented
from runs.journal.attempts import Outcome
from runs.placing.failures import outcome_of
from tests.fakes.placing import D2, D4, IN_ORDER, ONE_PLACE, TEXT, Clock, a_run, attempts, place, search

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clock() -> Clock:
    """A clock that moves when someone sleeps."""
    return Clock()


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (CapacityError, Outcome.CAPACITY),
        (NotOfferedError, Outcome.NOT_OFFERED),
        (QuotaError, Outcome.QUOTA),
        (ThrottledError, Outcome.THROTTLED),
        (TransientError, Outcome.TROUBLE),
        (RightsError, Outcome.REFUSED),
        (SignInError, Outcome.REFUSED),
        (SubscriptionError, Outcome.REFUSED),
        (RequestRefusedError, Outcome.REFUSED),
        (RehearsalError, Outcome.REFUSED),
    ],
)
def test_a_failure_is_told_by_its_type(kind: type[ProvisioningError], outcome: Outcome) -> None:
    """Never by its text."""
    assert outcome_of(kind("whatever was said")) is outcome


def test_every_place_is_tried_once_and_in_order(tmp_path: Path, clock: Clock) -> None:
    """The zones of the run file, then no zone; then the next region; then the next size."""
    context, cloud = a_run(tmp_path)
    with pytest.raises(CapacityError) as caught:
        search(context, clock)
    assert cloud.asked == IN_ORDER
    assert [one.outcome for one in attempts(context)] == [Outcome.CAPACITY] * len(IN_ORDER)
    assert "Standard_D2s_v5 in eastus zone 2: no capacity (AllocationFailed)" in caught.value.fact
    assert "--retry-until 6h" in caught.value.hint
    assert "llamalift attempts tiny-aaaaaa" in caught.value.hint
    assert clock.slept == []


def test_the_first_that_has_room_is_taken(tmp_path: Path, clock: Clock) -> None:
    """The decision names the place, the size and the price of the machine that was rented."""
    context, cloud = a_run(tmp_path)
    cloud.script[place("westus3", "1")] = [None]
    search(context, clock)
    decided, rented = context.require(Decided), context.require(Rented)
    assert (decided.region, decided.zone, decided.size) == ("westus3", "1", D2)
    assert (rented.region, rented.zone) == ("westus3", "1")
    assert decided.image.endswith(f":1.0.{len('westus3')}")
    assert [one.outcome for one in attempts(context)] == [Outcome.CAPACITY] * 4 + [Outcome.RENTED]
    # Room is made before each of the other places, and never for the first.
    assert cloud.vacated == IN_ORDER[1:5]


def test_another_size_brings_its_own_price(tmp_path: Path, clock: Clock) -> None:
    """The bill, and the limits that are counted from it, are those of the machine that runs."""
    context, cloud = a_run(tmp_path)
    cloud.script[place("eastus", None, D4)] = [None]
    search(context, clock)
    decided = context.require(Decided)
    assert decided.size == D4
    assert decided.machine_dollars_per_hour == pytest.approx(0.192)
    assert cloud.requests[-1].size == D4


def test_a_limit_counts_for_the_whole_family_in_its_region(tmp_path: Path, clock: Clock) -> None:
    """The other zones of the region are not tried; the next region is."""
    context, cloud = a_run(tmp_path)
    cloud.script[place("eastus", "2")] = [QuotaError("too small", code="OperationNotAllowed")]
    cloud.script[place("westus3", "2")] = [None]
    search(context, clock)
    assert cloud.asked == [place("eastus", "2"), place("westus3", "2")]
    assert [one.outcome for one in attempts(context)] == [Outcome.QUOTA] * 3 + [Outcome.RENTED]


def test_limits_everywhere_are_a_quota_error(tmp_path: Path, clock: Clock) -> None:
    """What to do then is to ask for more, not to wait."""
    context, cloud = a_run(tmp_path)
    for one in IN_ORDER:
        cloud.script[one] = [QuotaError("too small", hint="ask for more", code="OperationNotAllowed")]
    with pytest.raises(QuotaError) as caught:
        search(context, clock)
    assert "eastus zone 2: quota (OperationNotAllowed)" in caught.value.fact
    assert "ask for more" in caught.value.hint


@pytest.mark.parametrize("kind", [RightsError, SubscriptionError, RequestRefusedError, SignInError])
def test_what_no_other_place_mends_ends_the_search(tmp_path: Path, clock: Clock, kind: type[ProvisioningError]) -> None:
    """Rights, policy, an unknown size, a bad image: the user reads exactly that."""
    context, cloud = a_run(tmp_path)
    error = kind("no", code="No")
    cloud.script[IN_ORDER[0]] = [error]
    with pytest.raises(kind) as caught:
        search(context, clock)
    assert caught.value is error
    assert cloud.asked == IN_ORDER[:1]
    assert [one.reason for one in attempts(context)] == ["refused (No)"]


def test_passing_trouble_is_tried_again_at_the_same_place_and_then_elsewhere(tmp_path: Path, clock: Clock) -> None:
    """Bounded: 10 s, 40 s, then the next place."""
    context, cloud = a_run(tmp_path)
    cloud.script[IN_ORDER[0]] = [TransientError("oops") for _ in range(3)]
    cloud.script[IN_ORDER[1]] = [None]
    search(context, clock)
    assert cloud.asked == [*IN_ORDER[:1] * 3, IN_ORDER[1]]
    assert sum(clock.slept) == pytest.approx(50)


@pytest.mark.parametrize(("told", "waited"), [(90.0, 90.0), (None, 60.0), (86_400.0, 1800.0)])
def test_throttling_is_waited_out_as_told(tmp_path: Path, clock: Clock, told: float | None, waited: float) -> None:
    """At the same place, and at most half an hour."""
    context, cloud = a_run(tmp_path)
    haste = ThrottledError("slower")
    haste.wait_seconds = told
    cloud.script[IN_ORDER[0]] = [haste, None]
    search(context, clock)
    assert cloud.asked == IN_ORDER[:1] * 2
    assert sum(clock.slept) == pytest.approx(waited)


def test_trouble_everywhere_is_said_as_it_is(tmp_path: Path, clock: Clock) -> None:
    """A lost network is not told as a lack of machines."""
    context, cloud = a_run(tmp_path)
    for one in IN_ORDER:
        cloud.script[one] = [TransientError("no answer") for _ in range(3)]
    with pytest.raises(TransientError, match="no answer"):
        search(context, clock)


def test_a_disk_with_something_on_it_stays_where_it_is_if_it_must(tmp_path: Path, clock: Clock) -> None:
    """Nothing is deleted, no other place is tried, and the hint says how to go on."""
    context, cloud = a_run(tmp_path, TEXT.replace("other_sizes: [Standard_D4s_v5]", "move: never"))
    cloud.script[IN_ORDER[0]] = [None]
    search(context, clock)
    context.journal.put(context.run_id, Prepared(workspace="/workspace", python="python3"))
    with pytest.raises(CapacityError) as caught:
        search(context, clock)
    assert cloud.asked == IN_ORDER[:1] * 2
    assert cloud.vacated == []
    assert "llamalift resume tiny-aaaaaa --retry-until 6h" in caught.value.hint
    assert "llamalift down --discard tiny-aaaaaa" in caught.value.hint
    assert context.get(Rented) is not None


def test_hours_count_from_the_renting(tmp_path: Path, clock: Clock) -> None:
    """A try that failed days ago does not eat into the deadline; a machine that stands keeps its own."""
    context, cloud = a_run(tmp_path, text=ONE_PLACE)
    with pytest.raises(CapacityError):
        search(context, clock)
    context.journal.put(context.run_id, _with_deadline(context.require(Decided), 5.0))
    cloud.script[place()] = [None, None]
    search(context, clock)
    deadline = context.require(Decided).deadline_at
    assert deadline > time.time()
    search(context, clock)
    assert context.require(Decided).deadline_at == deadline


def test_a_machine_that_came_up_after_its_client_was_gone_keeps_its_deadline(tmp_path: Path, clock: Clock) -> None:
    """It was told that deadline at its birth."""
    context, cloud = a_run(tmp_path, text=ONE_PLACE)
    cloud.script[place()] = [KeyboardInterrupt(), None]
    with pytest.raises(KeyboardInterrupt):
        search(context, clock)
    cloud.machine = place()
    context.journal.put(context.run_id, _with_deadline(context.require(Decided), 7e9))
    search(context, clock)
    assert context.require(Decided).deadline_at == 7e9
    assert [one.outcome for one in attempts(context)] == [Outcome.ABANDONED, Outcome.RENTED]


def test_spot_stays_spot(tmp_path: Path, clock: Clock) -> None:
    """Nobody who asked for the spot price is given a machine at another one."""
    text = ONE_PLACE.replace("regions: [eastus]", "regions: [eastus, westus3], spot: true, max_price: 0.05")
    context, cloud = a_run(tmp_path, text)
    cloud.script[place(spot=True)] = [CapacityError("too dear now", code="SpotPriceGreaterThanProvidedMaxPrice")]
    cloud.script[place("westus3", spot=True)] = [NotOfferedError("no spot", code="SkuNotAvailable")]
    with pytest.raises(CapacityError, match="SpotPriceGreaterThanProvidedMaxPrice"):
        search(context, clock)
    assert all(one.spot for one in cloud.asked)
    assert {one.max_price_usd_per_hour for one in cloud.requests} == {0.05}


def _with_deadline(decided: Decided, at: float) -> Decided:
    return replace(decided, deadline_at=at)
