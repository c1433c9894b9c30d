from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.agent.clock import SteadyClock
from templates.agent.limits import SECOND_CHANCE_SECONDS, Situation, budget_level, due, may_discard
from templates.agent.meter import Meter
from templates.agent.settings import Limits

_LIMITS = Limits(deadline_at=10_000.0, dollars_cap=50.0, idle_seconds=1800.0, lost_client_seconds=3600.0)
_CALM = Situation(
    now=1000.0,
    up_since=0.0,
    dollars=1.0,
    started_again=False,
    step_running=False,
    job_ended_at=None,
    quiet_since=900.0,
    client_seen_at=900.0,
)
_TIMES = st.floats(0, 100_000)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"now": 10_000.0, "quiet_since": 9_999.0}, "deadline"),
        ({"now": 10_000.0, "step_running": True}, "deadline"),
        ({"dollars": 50.0}, "dollars"),
        ({"now": 2700.0}, "idle"),
        ({"now": 2700.0, "step_running": True}, None),
        ({"now": 2700.0, "quiet_since": 2000.0}, None),
        ({"now": 5000.0, "job_ended_at": 1000.0, "client_seen_at": 1400.0, "quiet_since": 4999.0}, "lost_client"),
        ({"now": 5000.0, "job_ended_at": 1500.0, "client_seen_at": 0.0, "quiet_since": 4999.0}, None),
    ],
)
def test_each_limit_fires_for_its_own_reason(change: dict[str, float], reason: str | None) -> None:
    """Deadline and dollars always, idle and lost client only while nothing runs."""
    assert due(_LIMITS, replace(_CALM, **change)) == reason  # type: ignore[arg-type]


def test_a_machine_started_after_its_limit_gets_a_second_chance() -> None:
    """It may be used to raise the limit for a quarter of an hour, and ends then."""
    started = 20_000.0
    early = replace(
        _CALM, up_since=started, now=started + 60, quiet_since=started, client_seen_at=started, started_again=True
    )
    late = replace(early, now=started + SECOND_CHANCE_SECONDS, quiet_since=started + 800)
    assert (due(_LIMITS, early), due(_LIMITS, late)) == (None, "deadline")
    limits = replace(_LIMITS, deadline_at=1e9)
    assert due(limits, replace(early, dollars=60.0)) is None
    assert due(limits, replace(late, dollars=60.0)) == "dollars"


@given(_TIMES, _TIMES, _TIMES, st.booleans(), st.booleans())
def test_a_raised_limit_never_fires_earlier(
    now: float,
    deadline: float,
    more: float,
    running: bool,  # noqa: FBT001
    started_again: bool,  # noqa: FBT001
) -> None:
    """Whatever the client wishes, limits only move out, and never make anything due that was not."""
    limits = replace(_LIMITS, deadline_at=deadline)
    raised = limits.raised({"deadline_at": more, "dollars_cap": 0})
    situation = replace(
        _CALM, now=now, quiet_since=now, client_seen_at=now, step_running=running, started_again=started_again
    )
    assert raised.deadline_at >= limits.deadline_at
    assert raised.dollars_cap == limits.dollars_cap
    if due(limits, situation) is None:
        assert due(raised, situation) is None


def test_the_clock_does_not_follow_a_jump_at_once() -> None:
    """A wall clock that jumps is believed after a minute; drift is followed all along."""
    clock = SteadyClock(wall=1000.0, monotonic=0.0)
    assert clock.now(wall=1010.0, monotonic=10.0) == 1010.0
    assert clock.now(wall=1021.0, monotonic=20.0) == 1021.0
    assert clock.now(wall=9000.0, monotonic=30.0) == 1031.0
    assert clock.now(wall=9050.0, monotonic=80.0) == 1081.0
    assert clock.now(wall=9061.0, monotonic=91.0) == 9061.0


def test_a_jump_that_is_taken_back_leaves_no_trace() -> None:
    """Two short jumps an hour apart are not one that lasts."""
    clock = SteadyClock(wall=1000.0, monotonic=0.0)
    clock.now(wall=9000.0, monotonic=10.0)
    clock.now(wall=1020.0, monotonic=20.0)
    assert clock.now(wall=9000.0, monotonic=4000.0) == 5000.0


def test_the_meter_counts_no_hour_in_which_the_machine_was_off() -> None:
    """Deallocated time is not billed; every start adds its own hours."""
    meter = Meter(boot="first", up_since=0.0, seen_at=0.0)
    meter.tick(3600.0, "first")
    assert meter.seconds(3600.0) == 3600.0
    meter.tick(1e9, "second")
    since = meter.up_since
    assert 3600.0 <= since <= 1e9
    assert meter.seconds(since + 1800.0) == 5400.0


@pytest.mark.parametrize(
    ("dollars", "level"), [(0.0, 0), (49.99, 0), (50.0, 50), (79.0, 50), (80.0, 80), (95.0, 95), (200.0, 95)]
)
def test_the_budget_is_announced_at_three_levels(dollars: float, level: int) -> None:
    """50, 80 and 95 per cent of the cap."""
    assert budget_level(dollars, 100.0) == level


def test_a_run_without_a_price_is_never_announced() -> None:
    """No cap, no level."""
    assert budget_level(1.0, 0.0) == 0


def test_only_what_is_home_or_long_forgotten_may_go() -> None:
    """A visit on the eighth day, to fetch the model after all, is not its end."""
    day = 86_400.0
    assert not may_discard(8 * day, is_collected=False, forgotten_since=7.9 * day, discard_after_seconds=7 * day)
    assert may_discard(8 * day, is_collected=False, forgotten_since=day, discard_after_seconds=7 * day)
    assert may_discard(0.0, is_collected=True, forgotten_since=0.0, discard_after_seconds=day)
