"""`--retry-until`: how it is read, and when which place is tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from provisioning.errors import CapacityError, NotOfferedError, QuotaError, TransientError
from runs.errors import SpecError
from runs.facts import Prepared, Rented, Searching
from runs.journal.attempts import Attempt, Outcome
from runs.placing.pauses import Pace
from runs.placing.until import parse_until
from tests.fakes.placing import ONE_PLACE, Clock, Notes, a_run, attempts, place, search

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime.fromisoformat("2026-11-25T15:00:00+00:00").timestamp()
HOUR = 3600.0


@pytest.fixture
def clock() -> Clock:
    """A clock that moves when someone sleeps."""
    return Clock()


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("90m", 1.5),
        ("6h", 6),
        ("2d", 48),
        ("1d12h30m", 36.5),
        (" 6H ", 6),
        ("2026-11-25T18:00:00Z", 3),
        ("2026-11-26T00:00+06:00", 3),
        ("2026-11-26 15:00+00:00", 24),
    ],
)
def test_a_span_or_a_time_is_read(text: str, hours: float) -> None:
    """As people write them."""
    assert parse_until(text, NOW) == NOW + hours * HOUR


def test_a_time_without_a_zone_is_local() -> None:
    """The clock on the user's wall."""
    assert parse_until("2026-11-25T20:00", NOW) == datetime.fromisoformat("2026-11-25T20:00").astimezone().timestamp()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot read"),
        ("soon", "cannot read"),
        ("6", "cannot read"),
        ("6 hours", "cannot read"),
        ("-6h", "cannot read"),
        ("6h30", "cannot read"),
        ("0h", "is over"),
        ("2026-11-25T14:00:00Z", "is over"),
        ("31d", "more than the 30 days"),
        ("99999999999d", "more than the 30 days"),
        ("9999-01-01", "more than the 30 days"),
    ],
)
def test_what_is_no_time_is_refused(text: str, said: str) -> None:
    """As a mistake of the user's, before anything is begun."""
    with pytest.raises(SpecError, match=said) as caught:
        parse_until(text, NOW)
    assert caught.value.exit_code == 2
    assert "6h" in caught.value.hint


def tries(outcome: Outcome, count: int, *, spot: bool = False) -> list[Attempt]:
    """So many failures of one place, the last of which ended at `NOW`."""
    there = place(spot=spot)
    return [Attempt(n, NOW - 1, NOW, there, outcome, "", "") for n in range(count)]


@pytest.mark.parametrize(
    ("outcome", "spot", "minutes"),
    [
        (Outcome.CAPACITY, False, [2, 4, 8, 16, 32, 60, 60]),
        (Outcome.QUOTA, False, [10, 10, 10]),
        (Outcome.NOT_OFFERED, True, [15, 30, 60, 60]),
        (Outcome.NOT_OFFERED, False, [15, 30, 60, 120, 240, 480, 960, 1380, 1380]),
        (Outcome.TROUBLE, False, [1, 2, 4, 8, 15, 15]),
    ],
)
def test_a_place_opens_again_after_growing_and_bounded_pauses(
    outcome: Outcome, minutes: list[float], *, spot: bool
) -> None:
    """Never longer than such an answer is believed elsewhere."""
    found = [Pace().reopens_at(place(spot=spot), tries(outcome, n + 1, spot=spot)) for n in range(len(minutes))]
    assert found == [NOW + 60 * each for each in minutes]


def test_another_answer_starts_the_pauses_anew() -> None:
    """What grew was the pause after one kind of failure."""
    log = [*tries(Outcome.CAPACITY, 5), *tries(Outcome.QUOTA, 1), *tries(Outcome.CAPACITY, 1)]
    assert Pace().reopens_at(place(), log) == NOW + 120


def test_an_untried_place_is_open() -> None:
    """So is one whose client was killed on the way."""
    assert Pace().reopens_at(place("westus3"), tries(Outcome.CAPACITY, 1)) == 0.0
    assert Pace().reopens_at(place(), tries(Outcome.ABANDONED, 1)) == 0.0


def test_many_clients_do_not_come_back_together() -> None:
    """At most a tenth later, never earlier."""
    pace = Pace(now=lambda: NOW, chance=lambda: 1.0)
    assert pace.jittered(NOW + 100) == pytest.approx(NOW + 110)


def test_a_search_goes_on_until_there_is_room(tmp_path: Path, clock: Clock) -> None:
    """Between two walks nothing stands that costs money, and the next try's time is shown."""
    context, cloud = a_run(tmp_path, ONE_PLACE)
    context.journal.put(context.run_id, Searching(until=clock.at + 6 * HOUR))
    no_room = CapacityError("no room", code="AllocationFailed")
    cloud.script[place()] = [no_room, no_room, no_room, None]
    search(context, clock)
    assert context.get(Rented) is not None
    assert [one.outcome for one in attempts(context)] == [Outcome.CAPACITY] * 3 + [Outcome.RENTED]
    assert cloud.vacated.count(None) == 3
    assert 14 * 60 - 5 <= sum(clock.slept) <= 14 * 60 + 5
    assert isinstance(context.reporter, Notes)
    assert len(context.reporter.notes) == 3
    assert "eastus: no capacity (AllocationFailed); next try at" in context.reporter.notes[0]


def test_a_search_ends_when_its_time_is_over(tmp_path: Path, clock: Clock) -> None:
    """With one last try at the very end."""
    context, cloud = a_run(tmp_path, ONE_PLACE)
    until = clock.at + 10 * 60
    context.journal.put(context.run_id, Searching(until=until))
    with pytest.raises(CapacityError):
        search(context, clock)
    assert clock.at == pytest.approx(until, abs=1)
    assert len(cloud.asked) == 4


def test_only_places_that_may_have_changed_are_tried_again(tmp_path: Path, clock: Clock) -> None:
    """A size that is not offered is not asked for every two minutes."""
    text = ONE_PLACE.replace("[eastus]", "[eastus, westus3]")
    context, cloud = a_run(tmp_path, text)
    context.journal.put(context.run_id, Searching(until=clock.at + 10 * 60))
    cloud.script[place()] = [NotOfferedError("not here", code="SkuNotAvailable")] * 9
    with pytest.raises(CapacityError):
        search(context, clock)
    assert cloud.asked.count(place()) == 2  # once more at the very end
    assert cloud.asked.count(place("westus3")) == 4


def test_a_lost_network_does_not_end_a_patient_search(tmp_path: Path, clock: Clock) -> None:
    """The laptop may sleep for an hour."""
    context, cloud = a_run(tmp_path, ONE_PLACE)
    context.journal.put(context.run_id, Searching(until=clock.at + HOUR))
    cloud.script[place()] = [*(TransientError("no answer") for _ in range(4)), None]
    search(context, clock)
    assert context.get(Rented) is not None


def test_the_wish_outlives_its_client(tmp_path: Path, clock: Clock) -> None:
    """Killed in a pause, the next client goes on until the same time, with a walk at once."""
    context, cloud = a_run(tmp_path, ONE_PLACE)
    until = clock.at + 6 * HOUR
    context.journal.put(context.run_id, Searching(until=until))

    def die(_: float) -> None:
        raise KeyboardInterrupt

    from runs.placing.search import Search
    from runs.types import StageName

    with pytest.raises(KeyboardInterrupt):
        Search(context, StageName.PROVISION, replace(clock.pace, sleep=die)).run()
    assert context.require(Searching) == Searching(until=until, walk_after=None)
    cloud.script[place()] = [None]
    search(context, clock)
    assert len(cloud.asked) == 2
    assert context.get(Rented) is not None


def test_a_run_that_cannot_move_waits_for_its_own_place(tmp_path: Path, clock: Clock) -> None:
    """Evicted with checkpoints on its disk: the same place, again and again, and nothing is deleted."""
    context, cloud = a_run(tmp_path, ONE_PLACE.replace("[eastus]", "[eastus, westus3]"))
    cloud.script[place()] = [None]
    search(context, clock)
    context.journal.put(context.run_id, Prepared(workspace="/workspace", python="python3"))
    context.journal.put(context.run_id, Searching(until=clock.at + HOUR))
    no_room = CapacityError("no room", code="AllocationFailed")
    cloud.script[place()] = [no_room, no_room, None]
    search(context, clock)
    assert cloud.asked == [place()] * 4
    assert cloud.vacated == []


def test_limits_that_may_be_raised_meanwhile_are_looked_at_again(tmp_path: Path, clock: Clock) -> None:
    """Every ten minutes."""
    context, cloud = a_run(tmp_path, ONE_PLACE)
    context.journal.put(context.run_id, Searching(until=clock.at + HOUR))
    cloud.script[place()] = [QuotaError("too small"), QuotaError("too small"), None]
    search(context, clock)
    assert sum(clock.slept) == pytest.approx(20 * 60, abs=5)
