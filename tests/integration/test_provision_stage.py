"""The first stage of a run against the rehearsal cloud: what a later client changes, and what it leaves."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from remote.agent import read_status
from remote.machine import wait_for_workspace, wait_until_booted
from runs import Run
from runs.facts import Decided, Prepared
from runs.placing.decide import decide
from runs.placing.market import unasked_market
from runs.spec.recipes import write_recipe
from runs.stages.provision import Provision
from runs.state_folder import StateFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runs.context import RunContext


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    """A run that nothing exists of yet; whatever is made of it is deleted."""
    run = Run.create(write_recipe("tiny-cpu", tmp_path / "work"), state=StateFolder(tmp_path / "state"))
    with run.context() as opened:
        yield opened
    run.down(discard=True)


def test_a_client_that_has_moved_lets_itself_in(context: RunContext) -> None:
    """Another network, another address: the firewall follows, the machine stays."""
    stage = Provision()
    stage.act(context)
    assert stage.is_done(context)
    here = context.require(Decided)
    context.journal.put(context.run_id, replace(here, caller_address="127.0.0.9/32"))
    assert not stage.is_done(context)
    stage.act(context)
    assert stage.is_done(context)
    assert context.require(Decided) == here


def test_hours_begin_with_the_first_machine(context: RunContext) -> None:
    """A run that was interrupted before it had a machine, and goes on days later, is not over at once."""
    stage = Provision()
    market = unasked_market(context)
    decided = decide(context, market, market.places[0].placement)
    context.journal.put(context.run_id, replace(decided, deadline_at=time.time() - 3600))
    stage.act(context)
    rented_until = context.require(Decided).deadline_at
    assert rented_until > time.time() + 600
    stage.act(context)
    assert context.require(Decided).deadline_at == rented_until


def test_a_machine_that_was_started_again_is_waited_for(context: RunContext) -> None:
    """Deallocated (an eviction, a limit): after the stage its agent answers, for the next stages ask at once."""
    stage = Provision()
    stage.act(context)
    workspace = wait_for_workspace(context.session())
    context.journal.put(context.run_id, Prepared(workspace=workspace, python="python3"))
    wait_until_booted(context.session(), context.layout())
    context.hang_up()
    context.cloud.deallocate(context.run_id, lambda _message: None)
    assert not stage.is_done(context)
    stage.act(context)
    assert read_status(context.session(), context.layout()).agent.alive
