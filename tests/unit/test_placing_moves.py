"""A run whose disk holds something looks for a machine: near first, the disk follows, nothing is paid in vain."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provisioning.errors import CapacityError, MoveFailedError, TransientError
from provisioning.types import Place
from runs.facts import Decided, Moved, Prepared, Rented, Searching, Trust
from runs.journal.attempts import Outcome
from runs.placing.reach import can_go_on
from tests.fakes.placing import D2, D4, TEXT, Clock, DyingJournal, Notes, a_run, attempts, place, search

if TYPE_CHECKING:
    from pathlib import Path

    from runs.context import RunContext
    from tests.fakes.scarce_cloud import ScarceCloud

HOME = place("eastus", "2")
ZONES = [place("eastus", zone, size) for zone in ("1", None) for size in (D2, D4)]
REGIONS = [place("westus3", zone, size) for zone in ("2", "1", None) for size in (D2, D4)]


@pytest.fixture
def clock() -> Clock:
    """Time that only moves when someone sleeps."""
    return Clock()


def begun(folder: Path, clock: Clock, move: str) -> tuple[RunContext, ScarceCloud]:
    """A run that was set up in its first place, and whose machine was taken away since."""
    context, cloud = a_run(folder, TEXT.replace("zones: [2, 1]", f"zones: [2, 1], move: {move}"))
    cloud.script[HOME] = [None]
    search(context, clock)
    context.journal.put(context.run_id, Prepared(workspace="/workspace", python="python3"))
    cloud.asked.clear()
    return context, cloud


def test_near_first_and_no_further_than_allowed(tmp_path: Path, clock: Clock) -> None:
    """Its own place, its other sizes, then zone by zone; the hint names the next step further."""
    context, cloud = begun(tmp_path, clock, "zone")
    with pytest.raises(CapacityError) as caught:
        search(context, clock)
    assert cloud.asked == [HOME, place("eastus", "2", D4), *ZONES]
    assert cloud.moves == [Place("eastus", "1"), Place("eastus", None)]
    assert cloud.disk == Place("eastus", None)
    assert "--move region" in caught.value.hint
    assert "stands in eastus;" in caught.value.hint


def test_in_another_zone_the_disk_follows(tmp_path: Path, clock: Clock) -> None:
    """What was decided is the new place, the limits stay, and the new machine has a key of its own."""
    context, cloud = begun(tmp_path, clock, "zone")
    before = context.require(Decided)
    trust = context.require(Trust)
    cloud.script[place("eastus", "1", D4)] = [None]
    search(context, clock)
    assert cloud.moves == [Place("eastus", "1")]
    decided = context.require(Decided)
    assert (decided.zone, decided.size) == ("1", D4)
    assert (decided.deadline_at, decided.workspace_gib) == (before.deadline_at, before.workspace_gib)
    assert context.require(Rented).zone == "1"
    assert context.require(Trust) != trust
    assert cloud.requests[-1].keeps_disk
    assert isinstance(context.reporter, Notes)
    assert "the workspace disk is moved to eastus zone 1: less than a cent and about a minute" in " ".join(
        context.reporter.notes
    )
    assert context.get(Moved) is None


def test_to_another_region_the_machine_comes_first(tmp_path: Path, clock: Clock) -> None:
    """The disk is copied only where a machine was rented and given back; the copy is counted before it begins."""
    context, cloud = begun(tmp_path, clock, "region")
    cloud.script[place("westus3", "1")] = [None]
    search(context, clock)
    assert cloud.probed == [*REGIONS[:2], place("westus3", "1")]
    assert cloud.moves[-1] == Place("westus3", "1")
    assert [one.region for one in cloud.moves].count("westus3") == 1
    assert context.require(Decided).region == "westus3"
    moved = context.require(Moved)
    assert moved.dollars == pytest.approx(moved.gb * 0.02)
    assert isinstance(context.reporter, Notes)
    assert any("the workspace disk is copied to westus3 zone 1: about $" in note for note in context.reporter.notes)


def test_without_a_machine_anywhere_the_disk_is_not_copied(tmp_path: Path, clock: Clock) -> None:
    """Every region was tried without it, and what was decided is where the disk is again."""
    context, cloud = begun(tmp_path, clock, "region")
    with pytest.raises(CapacityError):
        search(context, clock)
    assert cloud.probed == REGIONS
    assert context.get(Moved) is None
    decided = context.require(Decided)
    assert Place(decided.region, decided.zone) == cloud.disk
    assert cloud.vacated[-1] == place("eastus", None, D4)


def test_a_copy_beyond_the_dollar_limit_is_not_begun(tmp_path: Path, clock: Clock) -> None:
    """Nor is a machine tried there; the hint says how to raise the limit."""
    context, cloud = begun(tmp_path, clock, "region")
    context.journal.put(context.run_id, replace(context.require(Decided), dollars_cap=0.01))
    with pytest.raises(CapacityError):
        search(context, clock)
    assert cloud.probed == []
    assert {one.outcome for one in attempts(context) if one.placement.region == "westus3"} == {Outcome.MOVE}
    assert context.get(Moved) is None


def test_a_copy_that_fails_is_not_tried_again_at_once(tmp_path: Path, clock: Clock) -> None:
    """It was paid for: the next place is tried instead."""
    context, cloud = begun(tmp_path, clock, "region")
    for zone in ("2", "1"):
        cloud.script[place("westus3", zone)] = [None]
    cloud.move_script[Place("westus3", "2")] = [MoveFailedError("lost", code="CopySourceNotFound")]
    search(context, clock)
    outcomes = [one.outcome for one in attempts(context) if one.placement == place("westus3", "2")]
    assert outcomes == [Outcome.MOVE]
    assert cloud.disk == Place("westus3", "1")


def test_trouble_on_the_way_goes_on_where_it_was(tmp_path: Path, clock: Clock) -> None:
    """Asked again, the same move goes on, without another try for the machine and without counting it twice."""
    context, cloud = begun(tmp_path, clock, "region")
    there = place("westus3", "2")
    cloud.script[there] = [None]
    cloud.move_script[Place("westus3", "2")] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        search(context, clock)
    counted = context.require(Moved)
    tries = len(cloud.asked)
    cloud.move_script[Place("westus3", "2")] = [TransientError("no answer"), None]
    search(context, clock)
    assert cloud.probed == [there]
    assert cloud.asked[tries:] == [there]
    assert context.require(Moved) == counted
    assert context.require(Rented).region == "westus3"


def test_the_wish_of_a_search_counts_more_than_the_run_file(tmp_path: Path, clock: Clock) -> None:
    """`resume --move region` is for a run file that cannot be changed any more."""
    context, cloud = begun(tmp_path, clock, "never")
    context.journal.put(context.run_id, Searching(move="region"))
    cloud.script[place("westus3", "2")] = [None]
    search(context, clock)
    assert cloud.disk == Place("westus3", "2")
    assert context.require(Searching) == Searching(move="region")


@pytest.mark.parametrize("client", range(0, 45, 4))
def test_killed_at_any_write_the_disk_and_its_machine_come_together(tmp_path: Path, clock: Clock, client: int) -> None:
    """The next client finds the disk where the cloud says that it is."""
    context, cloud = begun(tmp_path, clock, "region")
    there = place("westus3", "2")
    cloud.script[there] = [None, None, None]
    assert isinstance(context.journal, DyingJournal)
    context.journal.dies_in = client
    try:
        search(context, clock)
    except KeyboardInterrupt:
        search(context, clock)
    rented = context.require(Rented)
    assert cloud.machine is not None
    assert Place(rented.region, rented.zone) == cloud.disk == Place(cloud.machine.region, cloud.machine.zone)
    decided = context.require(Decided)
    assert Place(decided.region, decided.zone) == cloud.disk
    assert cloud.disk == Place("westus3", "2")


@pytest.mark.parametrize(
    ("size", "other", "can"),
    [
        (D2, D4, True),
        ("Standard_NC96ads_A100_v4", "Standard_NC48ads_A100_v4", False),
        ("Standard_NC24ads_A100_v4", "Standard_NC40ads_H100_v5", True),
        ("Standard_NC40ads_H100_v5", "Standard_NC24ads_A100_v4", False),
        ("Standard_ND96asr_v4", "Standard_ND96isr_H100_v5", True),
        ("of-old", "Of-Old", True),
        ("of-old", D2, False),
    ],
)
def test_a_run_goes_on_with_as_many_gpus_and_no_less_memory(size: str, other: str, *, can: bool) -> None:
    """Its checkpoint is cut into as many parts."""
    assert can_go_on(size, other) is can
