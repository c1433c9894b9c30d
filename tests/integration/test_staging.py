"""A disk that is filled from a small machine before the run's own is rented: real SDKs, real machines over SSH."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from provisioning.rehearsal.service import change_settings, running
from remote.adoption import read_file
from runs import Run
from runs.cost import cost_of_run
from runs.facts import Decided, Prepared, Rented, Staged, Synced
from runs.journal.charges import Component
from runs.plan.staging import SIZE
from runs.spec.recipes import write_recipe
from runs.stages.bootstrap import Bootstrap
from runs.stages.provision import Provision
from runs.stages.staging import Staging
from runs.stages.sync import Sync
from runs.state_folder import StateFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runs.context import RunContext

pytestmark = pytest.mark.training

OWN = "Standard_D2s_v5"
# How many clients die, and about how many points filling the disk passes.
CLIENTS, LATEST_POINT, SEED = 3, 220, 11


@pytest.fixture
def context(tmp_path: Path, machine_python: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunContext]:
    """A run that wants its disk filled first; nothing may be left of it in the end."""
    monkeypatch.setenv("LLAMALIFT_ENVIRONMENT_CACHE", str(machine_python.parents[2]))
    file = write_recipe("tiny-cpu", tmp_path / "work")
    file.write_text(file.read_text() + "\nstorage: {stage: always}\n")
    run = Run.create(file, state=StateFolder(tmp_path / "state"))
    with run.context() as opened:
        yield opened
        receipt = run.down(discard=True)
        assert all(line.confirmed_gone_at is not None for line in receipt.resources)
        assert opened.cloud.remaining(opened.run_id) == []


def data_on_disk(context: RunContext) -> bytes | None:
    """The data set as the machine that the run has now reads it from its disk."""
    return read_file(context.session(), context.require(Synced).data)


def local_data(context: RunContext) -> bytes:
    """The same here."""
    return context.loaded.resolve(context.spec.data.source).read_bytes()


def test_the_disk_is_filled_and_the_small_machine_is_gone(context: RunContext) -> None:
    """Its disk alone stays, and the run's own machine finds everything on it and sends nothing."""
    Staging().act(context)
    assert context.get(Rented) is None
    assert context.cloud.find_machine(context.run_id) is None
    assert context.cloud.find_workspace(context.run_id) is not None
    assert context.require(Staged).phase == "over"
    decided = context.require(Decided)
    assert (decided.size, decided.workspace_gib) == (OWN, context.require(Staged).workspace_gib)
    Provision().act(context)
    Bootstrap().act(context)
    assert Staging().is_done(context)
    assert Sync().is_done(context)
    assert data_on_disk(context) == local_data(context)
    machines = [
        line for line in cost_of_run(context.journal, context.run_id).lines if line.component is Component.MACHINE
    ]
    assert {line.detail.split()[0] for line in machines} == {SIZE, OWN}
    assert [line.goes_on for line in machines if line.detail.startswith(SIZE)] == [False]


def test_without_a_small_machine_the_run_goes_on(context: RunContext) -> None:
    """It is there to save money: where there is none, the run's own machine does what it would have done."""
    context.cloud.account()
    emulator = running(context.state.root)
    assert emulator is not None
    change_settings(emulator, capacity=[{"size": SIZE}])
    assert "no small machine" in Staging().act(context)
    assert context.get(Prepared) is None
    Provision().act(context)
    assert context.require(Decided).size == OWN


def test_killed_anywhere_the_next_client_goes_on(context: RunContext) -> None:
    """Nothing doubled, leaked or lost, whichever write or request was the last one."""
    context.cloud.account()
    numbers = random.Random(SEED).sample(range(1, LATEST_POINT), CLIENTS)  # noqa: S311 - a choice, no secret
    for number in numbers:
        argv = [sys.executable, "-m", "tests.fakes.stage_until_killed", str(context.state.root), context.run_id]
        code = subprocess.run([*argv, str(number)], check=False).returncode
        assert code in {0, -signal.SIGKILL}
    staging = Staging()
    if not staging.is_done(context):
        staging.act(context)
    assert context.cloud.find_machine(context.run_id) is None
    Provision().act(context)
    Bootstrap().act(context)
    assert Sync().is_done(context)
    assert data_on_disk(context) == local_data(context)
