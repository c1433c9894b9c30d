"""Whole runs that lose their machine: with notice, without, and its system disk with it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provisioning.types import Placement
from remote.agent import read_status
from remote.command import Command
from runs import Run
from runs.facts import Decided, Prepared, Trust
from runs.ledger import RunLedger
from runs.stages.bootstrap import Bootstrap
from runs.stages.provision import Provision
from runs.state_folder import StateFolder
from tests.fakes.evicted_runs import EvictedRun
from tests.integration.test_evictions import spot_recipe

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.training, pytest.mark.timeout(900)]


def test_a_run_that_is_evicted_again_and_again_ends_with_its_model(tmp_path: Path, machine_python: Path) -> None:
    """With notice at most one step is lost, without at most what the schedule puts at risk; also with a dead client."""
    run = EvictedRun(tmp_path, {"LLAMALIFT_ENVIRONMENT_CACHE": str(machine_python.parents[2])}, steps=60)
    try:
        run.start()
        noticed = run.evict("notice", after_steps=3)
        assert (noticed.what, noticed.is_kept) == ("save", True), noticed
        unnoticed = run.evict("no notice", after_steps=2, kill_client=True)
        assert unnoticed.is_kept, unnoticed
        assert run.finish() == []
        first, second = run.evictions
        assert (first.what, first.lost_steps) == ("save", noticed.lost_steps)
        assert (second.notice_seconds, second.lost_steps) == (None, unnoticed.lost_steps)
        assert "2 evictions: " in run.output
    finally:
        run.close()


def test_a_machine_that_replaces_another_on_the_same_disk_is_set_up(
    tmp_path: Path, machine_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its system is new, and so are its host key and all that lay outside the workspace; what lay inside is there."""
    monkeypatch.setenv("LLAMALIFT_ENVIRONMENT_CACHE", str(machine_python.parents[2]))
    run = Run.create(spot_recipe(tmp_path / "work"), state=StateFolder(tmp_path / "state"))
    try:
        with run.context() as context:
            Provision().act(context)
            Bootstrap().act(context)
            assert Bootstrap().is_done(context)
            mark = context.layout().path("mark")
            context.session().run(Command.of("touch", mark))
            before = context.require(Trust).own
            assert context.require(Prepared).host_key == before

            # Another size in the same place: the machine goes with its system disk, the workspace stays.
            there = replace(context.require(Decided), size="Standard_D4s_v5")
            place = Placement(there.region, there.zone, there.size, there.spot)
            context.hang_up()
            context.cloud.vacate(run.run_id, place, RunLedger(run.journal, run.run_id), lambda _message: None)
            run.journal.put(run.run_id, there)
            Provision().act(context)
            assert not Bootstrap().is_done(context)
            Bootstrap().act(context)
            assert Bootstrap().is_done(context)
            assert context.require(Trust).own != before
            assert context.require(Prepared).host_key == context.require(Trust).own
            context.session().run(Command.of("test", "-f", mark))
            assert read_status(context.session(), context.layout()).agent.alive
    finally:
        run.down(discard=True)
