"""One machine on the rehearsal cloud: raised limits, a pause, and what ended without us, each as the cloud has it."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from provisioning.azure.naming import API_VERSIONS, Names
from provisioning.rehearsal.service import evict, logged_requests, running
from provisioning.types import PowerState, ResourceKind
from remote.agent import is_asked_to_stop, read_status, stop_job, submit_job
from remote.errors import UnreachableError
from remote.layout import RunLayout
from remote.machine import wait_for_workspace, wait_until_booted
from runs import Run
from runs.costs import costs
from runs.extend import carry_out, is_pending
from runs.facts import Decided, Extension, Pausing, Prepared, Rented, Submitted, Synced
from runs.journal.charges import Component, charges_of
from runs.machine_config import backstop
from runs.pause import go_on
from runs.power import refuse_if_off
from runs.spec.recipes import write_recipe
from runs.stages.bootstrap import Bootstrap
from runs.stages.provision import Provision
from runs.stages.train import Train
from runs.state_folder import StateFolder
from runs.status import Lookout
from tests.fakes.agent_run import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.context import RunContext

HOUR = 3600.0
TRAINING = """
import signal, sys, time
def leave(*_):
    print('saved'); sys.exit(75)
signal.signal(signal.SIGTERM, leave)
print('ready', flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run with a machine whose agent answers; deleted in the end."""
    folder = tmp_path_factory.mktemp("limits")
    made = Run.create(write_recipe("tiny-cpu", folder / "work"), state=StateFolder(folder / "state"))
    with made.context() as context:
        Provision().act(context)
        workspace = wait_for_workspace(context.session())
        wait_until_booted(context.session(), RunLayout(workspace, made.run_id))
        made.journal.put(made.run_id, Prepared(workspace=workspace, python="python3"))
    yield made
    made.down(discard=True)


@pytest.fixture
def context(run: Run) -> Iterator[RunContext]:
    """What a client has while the machine runs."""
    with run.context() as opened:
        if not Provision().is_done(opened):
            Provision().act(opened)
        yield opened


def silent(_message: str) -> None:
    """A progress that nobody reads."""


def group_tags(context: RunContext) -> dict[str, str]:
    """The tags of the run's group in the cloud."""
    groups = context.cloud._open().resources.resource_groups  # type: ignore[attr-defined]
    return dict(groups.get(names(context).group).tags)


def names(context: RunContext) -> Names:
    """The run's names there."""
    return Names(context.cloud.account().subscription_id, context.run_id)


def _await_limits(context: RunContext, deadline_at: float, dollars_cap: float = 0.0) -> None:
    """The agent tells what it held a second ago: wait until it holds at least these limits."""

    def holds() -> bool:
        limits = read_status(context.session(), context.layout()).limits
        return (limits.deadline_at or 0) >= deadline_at and (limits.dollars_cap or 0) >= dollars_cap

    wait_for(holds, "the agent to hold its new limits")


def schedule(context: RunContext) -> str | None:
    """The time of day of the run's auto-shutdown, or None."""
    from azure.core.exceptions import ResourceNotFoundError

    kind = ResourceKind.SHUTDOWN_SCHEDULE
    by_id = context.cloud._open().resources.resources  # type: ignore[attr-defined]
    resource_id = names(context).id_of(kind, names(context).shutdown_schedule)
    try:
        found: Any = by_id.get_by_id(resource_id, api_version=API_VERSIONS[kind])
    except ResourceNotFoundError:
        return None
    return str(found["properties"]["dailyRecurrence"]["time"])


def machine_charges(context: RunContext) -> list[float | None]:
    """When each stretch of the machine's hours ended."""
    found = charges_of(context.journal, context.run_id)
    return [charge.ended_at for charge in found if charge.component is Component.MACHINE]


def test_looks_share_a_connection_ask_no_cloud_and_tell_their_age(run: Run, context: RunContext) -> None:
    """While the machine answers; when it cannot be reached, what it said last stays, until it is heard again."""
    cloud = running(run.state.root)
    assert cloud is not None
    rented = context.require(Rented)
    with Lookout(run, connect_seconds=2.0) as lookout:
        first = lookout.look()
        session, asked = lookout._working()._session, len(logged_requests(cloud))
        second = lookout.look()
        assert (lookout._working()._session, len(logged_requests(cloud))) == (session, asked)
        assert first.agent is not None
        assert second.heard_at is not None
        assert second.heard_at > (first.heard_at or 0)

        run.journal.put(run.run_id, replace(rented, ssh_port=1))
        lookout._working().hang_up()
        cut = lookout.look()
        assert cut.silence
        assert (cut.agent, cut.heard_at) == (second.agent, second.heard_at)

        run.journal.put(run.run_id, rented)
        back = lookout.look()
        assert (back.silence, back.off_since) == ("", None)
        assert back.heard_at is not None
        assert back.heard_at > second.heard_at


def test_looking_on_after_the_job_has_ended_keeps_no_idle_machine_alive(run: Run) -> None:
    """Each question to the agent postpones its idle limit; a watch that is left open asks no more."""
    with Lookout(run) as lookout:
        agent = lookout.look().agent
        assert agent is not None
        ended = replace(agent, phase="done"), time.time()
        lookout._heard = ended
        later = lookout.look()
        assert (later.agent, later.heard_at, later.silence) == (*ended, "")

        run.journal.put(run.run_id, Submitted(time.time(), number=2))
        assert lookout.look().heard_at != ended[1]


def test_a_job_that_an_eviction_stopped_is_watched_on(run: Run) -> None:
    """It goes on by itself when its machine is back, as the same job: what was heard last is not its end."""
    with Lookout(run) as lookout:
        agent = lookout.look().agent
        assert agent is not None
        stopped = replace(agent, phase="stopped"), time.time()
        lookout._heard = stopped
        assert lookout.look().heard_at != stopped[1]


def test_an_extension_reaches_journal_cloud_and_machine(run: Run, context: RunContext) -> None:
    """The agent's limits, the tag by which others find the run, the auto-shutdown: all move; asking is enough once."""
    before = context.require(Decided)
    made = run.extend(hours=2, dollars=5)
    assert (made.deadline_at, made.dollars_cap) == (before.deadline_at + 2 * HOUR, before.dollars_cap + 5)
    _await_limits(context, made.deadline_at, made.dollars_cap)
    until = datetime.fromtimestamp(made.deadline_at, UTC)
    assert group_tags(context)["llamalift-expires"] == f"{until:%Y-%m-%dT%H:%M:%SZ}"
    at = backstop(made.deadline_at, time.time())
    assert at is not None
    assert schedule(context) == f"{at:%H%M}"

    # A client killed before anybody was told: the same command finishes it and adds nothing.
    context.journal.put(context.run_id, replace(made, cloud_knows=False, machine_knows=False))
    assert run.extend(hours=2, dollars=5) == made


def test_an_extension_beyond_a_day_takes_the_daily_schedule_away(run: Run, context: RunContext) -> None:
    """A schedule knows no date: left alone, it would end the machine at that time of the first day."""
    run.extend(hours=30)
    assert schedule(context) is None


def test_a_pause_saves_deallocates_and_goes_on_later(run: Run, context: RunContext) -> None:
    """The job leaves a checkpoint, the machine's hours end, and the deadline waits for the run to go on."""
    _start_a_job(context)
    left = run.pause()
    assert left.dollars_per_day > 0
    power = context.cloud.power(context.run_id)
    assert power is not None
    assert power.power is PowerState.DEALLOCATED
    assert None not in machine_charges(context)
    assert run.pause() == left  # a pause of a paused run changes nothing

    paused = context.require(Pausing)
    context.journal.put(context.run_id, replace(paused, at=paused.at - HOUR))
    context.hang_up()
    deadline = context.require(Decided).deadline_at
    go_on(context)
    Provision().act(context)
    assert machine_charges(context)[-1] is None
    assert not Bootstrap().is_done(context)
    Bootstrap().act(context)
    status = read_status(context.session(), context.layout())
    assert (status.phase, status.log.data) == ("stopped", b"ready\nsaved\n")
    _await_limits(context, deadline + HOUR)


def _start_a_job(context: RunContext, number: int = 1) -> Submitted:
    """A job that leaves when it is asked to, and its fact."""
    argv = ["python3", "-c", TRAINING]
    step = {"name": "train", "argv": argv, "env": {}, "cwd": context.layout().run_folder, "marker": "markers/train"}
    job = {"schema": 1, "number": number, "steps": [step], "secrets_file": None}
    submitted = Submitted(at=time.time(), number=number)
    context.journal.put(context.run_id, submitted)
    submit_job(context.session(), context.layout(), job)
    log = read_status(context.session(), context.layout()).log
    wait_for(
        lambda: b"ready" in read_status(context.session(), context.layout(), log_from=log.size).log.data, "the job"
    )
    return submitted


def test_a_pause_that_was_killed_stops_no_later_job(context: RunContext) -> None:
    """Its client died before the job had stopped: `resume` lets that stop happen, and only then hands the job over."""
    submitted = _start_a_job(context, number=2)
    context.journal.put(context.run_id, Pausing(at=time.time()))
    context.journal.put(context.run_id, Synced(model="m", data="d", bytes_sent=0))
    stop_job(context.session(), context.layout())
    Train()._submit_again(context, submitted)
    assert context.require(Submitted).number == 3
    assert context.get(Pausing) is None
    assert not is_asked_to_stop(context.session(), context.layout())


def test_a_machine_that_is_off_hears_of_its_limits_later(run: Run, context: RunContext) -> None:
    """Raised while it is deallocated: the cloud is told at once, the machine when it runs again."""
    context.cloud.deallocate(context.run_id, silent)
    made = run.extend(hours=1)
    assert (made.cloud_knows, made.machine_knows) == (True, False)
    assert is_pending(context)
    Provision().act(context)
    carry_out(context, silent)
    assert context.require(Extension).is_done
    _await_limits(context, made.deadline_at)


def test_what_ended_without_us_is_not_counted_on(run: Run, context: RunContext) -> None:
    """Evicted without a word: the machine's hours end when the cloud says, its disks and address go on."""
    handle = running(context.state.root)
    assert handle is not None
    assert machine_charges(context)[-1] is None
    evict(handle, names(context).machine)
    wait_for(lambda: _power(context) is PowerState.DEALLOCATED, "the eviction")
    # A client that follows the job is told at once, instead of knocking for ten minutes.
    with pytest.raises(UnreachableError, match="deallocated"):
        refuse_if_off(context)
    ended = machine_charges(context)[-1]
    assert ended is not None
    assert ended <= time.time()
    (cost,) = costs(context.state, run.run_id, offline=True)
    going_on = {line.component for line in cost.lines if line.goes_on}
    assert going_on == {Component.SYSTEM_DISK, Component.WORKSPACE_DISK, Component.ADDRESS}
    assert cost.is_confirmed
    assert cost.estimate_dollars is not None


def test_a_run_that_deleted_itself_is_proven_gone(run: Run, context: RunContext) -> None:
    """The machine took its group along: `down` finds nothing to delete, gets its proofs, and ends every charge."""
    context.cloud._open().resources.resource_groups.begin_delete(names(context).group).result()  # type: ignore[attr-defined]
    receipt = run.down(discard=True)
    assert all(line.confirmed_gone_at for line in receipt.resources)
    assert all(charge.ended_at is not None for charge in charges_of(run.journal, run.run_id))


def _power(context: RunContext) -> PowerState | None:
    found = context.cloud.power(context.run_id)
    return found.power if found else None
