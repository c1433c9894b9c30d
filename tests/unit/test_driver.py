"""Who drives a run, as two computers see it: the tag's value, and when it has to be reckoned with."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from provisioning.errors import TransientError
from runs.context import RunContext
from runs.driver import STALE_SECONDS, Driver, Wheel, driver_here, driving, refuse_driven
from runs.errors import RunBusyError
from runs.facts import Client
from runs.journal import Journal
from runs.spec.load import load_run_text
from runs.state_folder import StateFolder
from runs.types import EffectMoment, RunRow, RunState, Silent

if TYPE_CHECKING:
    from pathlib import Path

RUN = "tiny-aaaaaa"
TEXT = "name: tiny\ncloud: rehearsal\nmodel: {from: hf://a/b}\ndata: {from: hf://datasets/a/b/c.json}\n"
ELSEWHERE = Driver("c" * 12, "laptop", "somewhere else", 1, 1_764_000_000, 1_764_000_000)


class TagCloud:
    """A cloud that has one tag, and counts its calls."""

    def __init__(self, value: str | None = "") -> None:
        self.value = value
        self.reads = self.writes = 0
        self.is_down = False

    def read_mark(self, _run_id: str, _name: str) -> str | None:
        """The tag."""
        self.reads += 1
        if self.is_down:
            raise TransientError("no answer from the cloud")
        return self.value

    def write_mark(self, _run_id: str, _name: str, value: str) -> None:
        """Another one."""
        self.writes += 1
        if self.is_down:
            raise TransientError("no answer from the cloud")
        self.value = value

    def close(self) -> None:
        """Nothing to do."""


def a_context(tmp_path: Path, cloud: TagCloud, *, with_group: bool = True) -> RunContext:
    """A run, with a group that it asked for."""
    state = StateFolder(tmp_path / "state")
    journal = Journal(state.journal)
    row = RunRow(RUN, "tiny", "rehearsal", 1.0, str(tmp_path / "run.yaml"), TEXT, "0" * 64, RunState.ACTIVE)
    journal.add_run(row)
    if with_group:
        moment = EffectMoment.CREATE_INTENDED
        journal.note_effect(RUN, moment, kind="resource group", name="g", resource_id="/g")
    double: Any = cloud
    return RunContext(row, load_run_text(TEXT, tmp_path / "run.yaml"), journal, state, Silent(), double)


def test_a_tag_holds_a_driver_with_the_longest_name(tmp_path: Path) -> None:
    """At most 256 characters, and read back as it was; what something else wrote is nobody."""
    me = driver_here(a_context(tmp_path, TagCloud()).journal, RUN)
    longest = replace(me, host="h" * 60, pid=4_194_304)
    assert len(longest.to_tag()) <= 256
    assert Driver.from_tag(longest.to_tag()) == longest
    assert [Driver.from_tag(value) for value in (None, "", "ada", "[]", '{"host": "x"}')] == [None] * 5


def test_a_driver_is_believed_while_it_says_so() -> None:
    """Elsewhere its last beat counts; here its process does; one that let go is gone at once."""
    now = time.time()
    assert replace(ELSEWHERE, beat=int(now)).drives(now)
    assert not replace(ELSEWHERE, beat=int(now - STALE_SECONDS - 1)).drives(now)
    assert not replace(ELSEWHERE, beat=0).drives(now)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    here = replace(ELSEWHERE, node=_my_node(), beat=int(now))
    assert replace(here, pid=os.getpid()).drives(now)
    assert not replace(here, pid=dead.pid).drives(now)


def _my_node() -> str:
    from runs.driver import _node

    return _node()


def test_a_run_without_a_group_asks_nobody(tmp_path: Path) -> None:
    """A fresh run pays nothing for being known to other computers."""
    cloud = TagCloud(None)
    with driving(a_context(tmp_path, cloud, with_group=False)):
        pass
    assert (cloud.reads, cloud.writes) == (0, 0)


def test_the_second_is_told_who_drives_and_since_when(tmp_path: Path) -> None:
    """And how to force it; nothing was changed."""
    value = replace(ELSEWHERE, beat=int(time.time())).to_tag()
    cloud = TagCloud(value)
    context = a_context(tmp_path, cloud)
    with pytest.raises(RunBusyError, match="process 1 on laptop, since 2025-11-2") as caught, driving(context):
        pytest.fail("two drivers")
    assert f"llamalift adopt {RUN} --take-over" in caught.value.hint
    assert cloud.value == value
    with driving(context, adopting=True, take_over=True):
        assert (Driver.from_tag(cloud.value) or ELSEWHERE).host == socket.gethostname()[:60]


def test_a_dead_driver_is_succeeded_by_whoever_adopts(tmp_path: Path) -> None:
    """Silent for long enough, nobody has to force anything; without adopting there is no way in."""
    context = a_context(tmp_path, TagCloud(ELSEWHERE.to_tag()))
    with pytest.raises(RunBusyError, match="has taken this run over") as caught, driving(context):
        pytest.fail("two drivers")
    assert f"llamalift adopt {RUN}" in caught.value.hint
    with driving(context, adopting=True):
        pass


def test_whoever_leaves_says_so(tmp_path: Path) -> None:
    """The next computer need not wait; the same one may always come back; a successor's name is left alone."""
    cloud = TagCloud("")
    context = a_context(tmp_path, cloud)
    with driving(context):
        assert (Driver.from_tag(cloud.value) or ELSEWHERE).drives(time.time())
    left = Driver.from_tag(cloud.value)
    assert left is not None
    assert (left.beat, left.client) == (0, (context.get(Client) or Client("")).id)
    with driving(context):
        cloud.value = ELSEWHERE.to_tag()
    assert cloud.value == ELSEWHERE.to_tag()


def test_a_cloud_that_is_down_does_not_hold_whoever_leaves(tmp_path: Path) -> None:
    """The tag grows old by itself; the journal keeps the reason."""
    cloud = TagCloud("")
    context = a_context(tmp_path, cloud)
    with driving(context):
        cloud.is_down = True
    assert any("nobody drives the run" in event.text for event in context.journal.events(RUN))


def test_a_laptop_that_slept_asks_before_its_next_effect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it beats it asks nothing; after a silence it reads the tag once, and stops when it was succeeded."""
    cloud = TagCloud("")
    context = a_context(tmp_path, cloud)
    with driving(context):
        calls = cloud.reads
        context.journal.confirm(RUN)
        assert cloud.reads == calls
        cloud.value = ELSEWHERE.to_tag()
        later = time.time() + STALE_SECONDS + 1
        monkeypatch.setattr(time, "time", lambda: later)
        with pytest.raises(RunBusyError, match="laptop"):
            context.journal.confirm(RUN)
        with pytest.raises(RunBusyError, match="laptop"):
            context.journal.confirm(RUN)
        assert cloud.reads == calls + 1


def test_a_beat_renews_our_name_and_yields_to_another(tmp_path: Path) -> None:
    """The heartbeat finds out about a successor, and does not write over its name."""
    cloud = TagCloud("")
    wheel = Wheel(a_context(tmp_path, cloud))
    wheel.take(adopting=False, take_over=False)
    wheel.beat()
    assert (cloud.reads, cloud.writes) == (2, 2)
    cloud.value = ELSEWHERE.to_tag()
    wheel.beat()
    assert cloud.value == ELSEWHERE.to_tag()
    with pytest.raises(RunBusyError):
        wheel.confirm()


def test_nobody_is_no_obstacle() -> None:
    """A run whose group has no such tag, or one that was let go, is free."""
    refuse_driven(RUN, None)
    refuse_driven(RUN, replace(ELSEWHERE, beat=0))
