"""A spot machine of the rehearsal cloud is taken away: who goes on by itself, who does not, and what is noted."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provisioning.rehearsal.service import change_settings, evict, running
from provisioning.types import PowerState
from remote.errors import UnreachableError
from remote.layout import RunLayout
from remote.machine import wait_for_workspace, wait_until_booted
from runs import Run
from runs.evictions import evictions_of
from runs.facts import Decided, Evictions, Pausing, Prepared, Searching
from runs.going_on import goes_on
from runs.journal.attempts import AttemptLog, Outcome
from runs.journal.charges import Component, charges_of
from runs.power import Knocks, refuse_if_off, settle_power
from runs.spec.recipes import write_recipe
from runs.stages.provision import Provision
from runs.state_folder import StateFolder
from tests.fakes.agent_run import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioning.rehearsal.service import EmulatorHandle
    from runs.context import RunContext
    from runs.journal.charges import ChargeRow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run with a spot machine whose agent answers; deleted in the end."""
    folder = tmp_path_factory.mktemp("evicted")
    made = Run.create(spot_recipe(folder / "work"), state=StateFolder(folder / "state"))
    with made.context() as context:
        Provision().act(context)
        workspace = wait_for_workspace(context.session())
        wait_until_booted(context.session(), RunLayout(workspace, made.run_id))
        made.journal.put(made.run_id, Prepared(workspace=workspace, python="python3"))
    yield made
    made.down(discard=True)


def spot_recipe(folder: Path) -> Path:
    """The tiny recipe on a spot machine."""
    run_file = write_recipe("tiny-cpu", folder)
    run_file.write_text(run_file.read_text().replace("processes: 2", "processes: 2\n  spot: true"))
    return run_file


@pytest.fixture
def context(run: Run) -> Iterator[RunContext]:
    """What a client has while the machine runs and nothing of it was taken away yet."""
    with run.context() as opened:
        if not Provision().is_done(opened):
            Provision().act(opened)
        for kind in (Evictions, Searching, Pausing):
            run.journal.forget(run.run_id, kind)
        kept = opened.require(Decided)
        yield opened
        run.journal.put(run.run_id, kept)


def emulator(context: RunContext) -> EmulatorHandle:
    """The cloud's own door."""
    handle = running(context.state.root)
    assert handle is not None
    return handle


def take(context: RunContext) -> None:
    """Take the machine away without a word."""
    context.hang_up()
    evict(emulator(context), f"{context.run_id}-vm")


def machine_charges(context: RunContext) -> list[ChargeRow]:
    """The stretches of the machine's hours."""
    found = charges_of(context.journal, context.run_id)
    return [charge for charge in found if charge.component is Component.MACHINE]


def test_a_spot_machine_that_was_taken_is_gone_on_with(context: RunContext) -> None:
    """Its hours end when the cloud says, the eviction is on the record once, and another machine will be waited for."""
    take(context)
    assert goes_on(context)
    (noted,) = evictions_of(context.journal, context.run_id)
    assert machine_charges(context)[-1].ended_at == noted.off_at
    assert goes_on(context)
    assert evictions_of(context.journal, context.run_id) == (noted,)
    until = context.require(Searching).until
    assert until is not None
    assert time.time() < until <= context.require(Decided).deadline_at
    Provision().act(context)
    assert machine_charges(context)[-1].ended_at is None
    assert not goes_on(context)  # it runs: whatever went wrong was no eviction

    # Taken again before it trained: a second eviction, and not the first one seen twice.
    take(context)
    assert goes_on(context)
    assert len(evictions_of(context.journal, context.run_id)) == 2


def test_what_was_no_eviction_is_not_gone_on_with(context: RunContext) -> None:
    """At a limit, paused, or on demand: the machine stays off until its user says otherwise."""
    decided = context.require(Decided)
    take(context)
    wait_for(lambda: (power := context.cloud.power(context.run_id)) and power.power is PowerState.DEALLOCATED, "it off")
    for change in ({"spot": False}, {"deadline_at": time.time() - 60}, {"dollars_cap": 1e-9}):
        context.journal.put(context.run_id, replace(decided, **change))
        settle_power(context)
        assert not goes_on(context), change
        assert evictions_of(context.journal, context.run_id) == ()


def test_a_limit_is_named(context: RunContext) -> None:
    """The agent had said that its limit was reached: the error says which, and how to raise it."""
    context.limit_fired = "dollars"
    take(context)
    with pytest.raises(UnreachableError, match="its limit dollars was reached") as caught:
        refuse_if_off(context)
    assert f"llamalift extend {context.run_id}" in caught.value.hint
    assert not goes_on(context)


def test_a_machine_that_cannot_be_started_costs_nothing_meanwhile(context: RunContext) -> None:
    """Spot is short after an eviction: it is asked for until there is one, and only running it is paid for."""
    handle = emulator(context)
    take(context)
    assert goes_on(context)
    tries, charges = AttemptLog(context.journal, context.run_id).newest(), len(machine_charges(context))
    change_settings(handle, capacity=[{"machines": 0, "after_tries": 2}])
    try:
        Provision().act(context)
    finally:
        change_settings(handle, capacity=[])
    outcomes = [one.outcome for one in AttemptLog(context.journal, context.run_id).all(after=tries)]
    assert outcomes == [Outcome.CAPACITY, Outcome.CAPACITY, Outcome.RENTED]
    *failed, last = machine_charges(context)[charges:]
    assert all(charge.ended_at == charge.began_at for charge in failed)
    assert last.ended_at is None
    assert len(evictions_of(context.journal, context.run_id)) == 1


def test_a_machine_that_is_taken_while_it_boots_is_not_knocked_at_for_long(context: RunContext) -> None:
    """The cloud is asked now and then: whoever waits for a machine that is off is told so within seconds."""
    knocks = Knocks(context)
    take(context)

    def is_told() -> bool:
        try:
            knocks.knock()
        except UnreachableError:
            return True
        return False

    wait_for(is_told, "the word that it is off")
