"""Which kill switches hold a run: told as they are, also where they would not end the bill."""

from __future__ import annotations

import pytest

from runs.backstop import is_due
from runs.spec.limits import Limits
from runs.switches import Switch, long_run_refusal, switches_in_force
from runs.types import EffectRow
from tests.fakes.decisions import decided

NOW = 1_800_000_000.0
HOUR = 3600.0
ROLE = EffectRow("role assignment", "ra", "/ra", NOW, NOW, None, None)
SCHEDULE = EffectRow("shutdown schedule", "s", "/s", NOW, NOW, None, None)
REFUSED = EffectRow("shutdown schedule", "s", "/s", NOW, None, None, None)


def held(*effects: EffectRow, hours: float = 20.0) -> dict[str, Switch]:
    """The switches of a run with these extras, by name."""
    found = switches_in_force(Limits(), decided(deadline_at=NOW + hours * HOUR), effects, now=NOW)
    return {switch.name: switch for switch in found}


def test_with_the_right_every_switch_ends_the_bill() -> None:
    """The machine deallocates itself at each limit, and Azure stands behind the deadline."""
    assert all(switch.in_force for switch in held(ROLE, SCHEDULE).values())


def test_without_the_right_only_the_deadline_ends_the_bill() -> None:
    """Azure's schedule knows the deadline alone; at the other limits a machine that is off goes on being billed."""
    found = held(SCHEDULE)
    assert {name for name, switch in found.items() if switch.in_force} == {"deadline", "auto-shutdown"}
    assert "goes on billing" in found["idle"].detail


def test_a_schedule_that_is_gone_is_none() -> None:
    """One that an extension took away, or that was refused, holds nothing."""
    gone = EffectRow("shutdown schedule", "s", "/s", NOW, NOW, NOW, NOW)
    assert not held(ROLE, gone, hours=30)["auto-shutdown"].in_force
    assert "within a day" in held(ROLE, gone, hours=30)["auto-shutdown"].detail
    assert not held(ROLE, REFUSED)["auto-shutdown"].in_force


@pytest.mark.parametrize(
    ("hours", "may", "accepted", "refused"),
    [
        (24.0, False, False, False),
        (24.5, False, False, True),
        (24.5, False, True, False),
        (24.5, True, False, False),
        (24.5, None, False, False),
    ],
)
def test_a_long_run_that_nothing_ends_needs_consent(
    hours: float, *, may: bool | None, accepted: bool, refused: bool
) -> None:
    """More than a day without an identity is refused unless the run file accepts it."""
    assert (long_run_refusal(hours, may_assign_roles=may, is_accepted=accepted) is not None) is refused


@pytest.mark.parametrize(
    ("hours", "effects", "due"),
    [
        (20.0, [ROLE], True),
        (20.0, [ROLE, SCHEDULE], False),
        (20.0, [ROLE, REFUSED], False),
        (30.0, [ROLE], False),
        (-3.0, [ROLE], False),
    ],
)
def test_the_schedule_of_a_long_run_is_set_on_its_last_day(
    hours: float, effects: list[EffectRow], *, due: bool
) -> None:
    """Once, by whoever looks; what Azure refused is not asked for each second."""
    assert is_due(decided(deadline_at=NOW + hours * HOUR), effects, NOW) is due
