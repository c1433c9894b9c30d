"""A client that looks for a machine may be killed between any two lines; the next one leaves never two machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provisioning.errors import CapacityError, TransientError
from runs.facts import Decided, Rented
from runs.journal.attempts import Outcome
from runs.placing.decide import placement_of
from tests.fakes.placing import D2, FAMILY, IN_ORDER, Clock, DyingJournal, a_run, attempts, market_survey, place, search

if TYPE_CHECKING:
    from pathlib import Path

    from runs.context import RunContext
    from tests.fakes.scarce_cloud import ScarceCloud


@pytest.fixture
def clock() -> Clock:
    """A clock that moves when someone sleeps."""
    return Clock()


def killed_at(context: RunContext, cloud: ScarceCloud, clock: Clock, nth: int) -> None:
    """The client dies in its nth question for a machine."""
    for one in IN_ORDER[: nth - 1]:
        cloud.script[one] = [CapacityError("no room", code="AllocationFailed")]
    cloud.script[IN_ORDER[nth - 1]] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        search(context, clock)


@pytest.mark.parametrize("nth", [1, 3, 4])
def test_a_machine_that_came_up_without_its_client_is_found(tmp_path: Path, clock: Clock, nth: int) -> None:
    """The half-made place comes first; the places before it are not asked again."""
    context, cloud = a_run(tmp_path)
    killed_at(context, cloud, clock, nth)
    cloud.machine = IN_ORDER[nth - 1]
    cloud.asked.clear()
    cloud.script[IN_ORDER[nth - 1]] = [None]
    search(context, clock)
    assert cloud.asked == [IN_ORDER[nth - 1]]
    assert [one.outcome for one in attempts(context)][-2:] == [Outcome.ABANDONED, Outcome.RENTED]


def test_a_cut_off_walk_goes_on_where_it_was(tmp_path: Path, clock: Clock) -> None:
    """What failed in this walk is not tried twice in it."""
    context, cloud = a_run(tmp_path)
    killed_at(context, cloud, clock, 3)
    cloud.asked.clear()
    cloud.script[IN_ORDER[5]] = [None]
    search(context, clock)
    assert cloud.asked == IN_ORDER[2:6]


def test_a_finished_walk_does_not_count_for_the_next_command(tmp_path: Path, clock: Clock) -> None:
    """`resume` after a failed `up` asks everywhere again."""
    context, cloud = a_run(tmp_path)
    with pytest.raises(CapacityError):
        search(context, clock)
    cloud.asked.clear()
    with pytest.raises(CapacityError):
        search(context, clock)
    assert cloud.asked == IN_ORDER


@pytest.mark.parametrize("step", range(0, 44, 4))
def test_killed_at_any_write_it_ends_with_one_machine(tmp_path: Path, clock: Clock, step: int) -> None:
    """The third place has room: whenever the client dies, the next one ends there.

    `ScarceCloud` refuses a second machine.
    """
    context, cloud = a_run(tmp_path)
    assert isinstance(context.journal, DyingJournal)
    for one in IN_ORDER[:2]:
        cloud.script[one] = [CapacityError("no room", code="AllocationFailed")] * 3
    cloud.script[IN_ORDER[2]] = [None, None, None]
    context.journal.dies_in = step
    try:
        search(context, clock)
    except KeyboardInterrupt:
        search(context, clock)
    context.journal.dies_in = None
    assert cloud.machine == placement_of(context.require(Decided)) == IN_ORDER[2]
    assert context.get(Rented) is not None
    assert all(one.ended_at is not None for one in attempts(context))


def test_room_that_cannot_be_made_stops_the_way_elsewhere(tmp_path: Path, clock: Clock) -> None:
    """Before a second place is asked the first one is empty: the error is that of making room."""
    context, cloud = a_run(tmp_path)
    cloud.script[IN_ORDER[0]] = [CapacityError("no room")]
    cloud.vacate_error = TransientError("the disk does not go")
    with pytest.raises(CapacityError, match="passing trouble"):
        search(context, clock)
    assert cloud.asked == IN_ORDER[:1]


def test_what_the_survey_rules_out_is_not_even_tried(tmp_path: Path, clock: Clock) -> None:
    """A limit of zero is known before anything is created; it is in the log as what it is."""
    context, cloud = a_run(tmp_path)
    cloud.survey_answer = market_survey(full=("eastus",))
    cloud.script[place("westus3", "2")] = [None]
    search(context, clock)
    assert cloud.asked == [place("westus3", "2")]
    assert [one.outcome for one in attempts(context)] == [Outcome.QUOTA] * 3 + [Outcome.RENTED]
    assert f"{FAMILY} has 0 of 0 free, needed: 2" in attempts(context)[0].fact
    decided = context.require(Decided)
    assert (decided.size, decided.machine_dollars_per_hour) == (D2, 0.5)
    assert "Retail Prices API" in decided.price_basis
