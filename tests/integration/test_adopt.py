"""A run whose journal is gone, or that another computer began: known again from the cloud and its machine."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from provisioning.errors import RequestRefusedError
from provisioning.rehearsal.cloud import open_rehearsal
from provisioning.types import ResourceKind
from remote.command import Command
from remote.layout import RunLayout
from remote.machine import rotate_host_key, wait_for_workspace, wait_until_booted
from runs import Run
from runs.adoption.adopt import Wish, adopt
from runs.adoption.carried import carried, carry
from runs.driver import driving
from runs.errors import NotCollectedError, RunBusyError, RunError, RunNotFoundError, SpecError
from runs.facts import Decided, Prepared, Submitted, Synced, Trust
from runs.journal import Journal
from runs.journal.charges import charges_of
from runs.spec.recipes import write_recipe
from runs.stages.provision import Provision
from runs.state_folder import StateFolder
from runs.status import look
from runs.types import RunState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.context import RunContext


def silent(_what: str) -> None:
    """Nobody reads it."""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFolder]:
    """The state folder of the computer that begins; whatever is left in its cloud is deleted by whoever knows it."""
    folder = StateFolder(tmp_path / "state")
    yield folder
    for row in Journal(folder.journal).runs():
        if row.state is RunState.ACTIVE:
            with Journal(folder.journal).transaction() as db:
                db.execute("DELETE FROM leases")
            adopt(Wish(row.run_id, "rehearsal", take_over=True), folder, silent)
            Run.open(row.run_id, state=folder).down(discard=True)


@pytest.fixture
def run(state: StateFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Run:
    """A run with a machine whose agent answers, as a client that is away now has left it; its parameter is the way."""
    if hasattr(request, "param"):
        monkeypatch.setenv("LLAMALIFT_MACHINES", request.param)
    made = Run.create(write_recipe("tiny-cpu", tmp_path / "work"), state=state)
    with made.context() as context, driving(context):
        Provision().act(context)
        session = context.session()
        layout = RunLayout(wait_for_workspace(session), context.run_id)
        wait_until_booted(session, layout)
        carry(session, layout, Prepared(layout.workspace, "/the/python"))
        carry(session, layout, Synced("/the/model", "/the/data", 7))
    monkeypatch.chdir(_elsewhere(tmp_path))
    return made


def _elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def lose(state: StateFolder) -> None:
    """The journal and the runs' folders are gone; the rehearsal's own folder is the cloud."""
    for file in state.root.glob("journal.sqlite*"):
        file.unlink()
    shutil.rmtree(state.root / "runs")


def another_computer(state: StateFolder, tmp_path: Path) -> StateFolder:
    """Another computer's state folder, with the same cloud."""
    other = StateFolder(tmp_path / "other")
    other.root.mkdir(exist_ok=True)
    (other.root / "rehearsal").symlink_to(state.root / "rehearsal")
    return other


def test_a_lost_run_is_known_again(run: Run, state: StateFolder) -> None:
    """All that was decided, every resource, what the stages did: as before; the machine has a new key and is asked."""
    before, effects = run.journal.get(run.run_id, Decided), run.journal.effects(run.run_id)
    old_key = (run.folder / "id_ed25519").read_bytes()
    with run.context() as context:
        rotate_host_key(context.session(), lambda key: context.journal.put(run.run_id, Trust("", key)))
    lose(state)

    adoption = adopt(Wish(run.run_id, "rehearsal"), state, silent)

    assert not adoption.was_known
    again, journal = adoption.run, adoption.run.journal
    assert (again.row.spec_text, again.row.spec_sha256) == (run.row.spec_text, run.row.spec_sha256)
    assert again.row.run_file == run.row.run_file
    assert again.row.created_at == run.row.created_at
    assert journal.get(run.run_id, Decided) == before
    kinds = {effect.kind for effect in journal.effects(run.run_id)}
    assert {effect.kind for effect in effects if effect.created_at is not None} <= kinds
    assert ResourceKind.ROLE_ASSIGNMENT in kinds
    assert journal.get(run.run_id, Prepared) == Prepared("/workspace", "/the/python")
    assert journal.get(run.run_id, Synced) == Synced("/the/model", "/the/data", 7)
    assert journal.get(run.run_id, Submitted) is None
    trust = journal.get(run.run_id, Trust)
    assert trust is not None
    assert (trust.one_time, bool(trust.own)) == ("", True)
    assert {str(charge.component) for charge in charges_of(journal, run.run_id)} >= {"machine", "workspace disk"}
    seen = look(again)
    assert (seen.silence, seen.agent is not None and seen.agent.phase) == ("", "waiting")
    assert [str(stage.stage) for stage in seen.stages] == ["provision", "bootstrap", "sync"]
    with again.context() as context:
        # The computer that had it before is locked out, and this one got in with a key of its own.
        keys = _authorized(context)
    assert len(keys) == 1
    assert (again.folder / "id_ed25519").read_bytes() != old_key
    receipt = again.down(discard=True)
    assert all(line.confirmed_gone_at for line in receipt.resources)


def _authorized(context: RunContext) -> list[str]:
    shown = context.session().run(Command.of("sh", "-c", "cat ~/.ssh/authorized_keys"))
    return shown.stdout.decode().splitlines()


def test_another_computer_takes_over_and_the_first_is_told(run: Run, state: StateFolder, tmp_path: Path) -> None:
    """The second has a key and a copy of the run file of its own, and may end the one-time key; the first stops."""
    shutil.rmtree(tmp_path / "work")
    other = another_computer(state, tmp_path)
    with run.context() as context, driving(context):
        # Who drives, and since when; nothing was written.
        with pytest.raises(RunBusyError, match=f"process {os.getpid()} on {socket.gethostname()}, since 2"):
            adopt(Wish(run.run_id, "rehearsal"), other, silent)
        assert Journal(other.journal).runs() == []
        assert not (other.root / "runs").exists()
        adoption = adopt(Wish(run.run_id, "rehearsal", take_over=True), other, silent)
        fence: Any = context.journal.fences[run.run_id]
        fence.__self__.beat()
        with pytest.raises(RunBusyError, match="taken this run over"):
            context.journal.confirm(run.run_id)
    copy = Path.cwd() / f"{run.run_id}.yaml"
    assert (adoption.run.row.run_file, copy.read_text()) == (str(copy), run.row.spec_text)
    with adoption.run.context() as context:
        # Nobody had signed in to exchange it: the key that was told is still the one-time key.
        trust = context.require(Trust)
        assert (bool(trust.one_time), trust.own) == (True, "")
        rotate_host_key(context.session(), lambda key: context.journal.put(run.run_id, replace(trust, own=key)))
        context.session(fresh=True)
        assert context.require(Trust).one_time == ""
    for attempt in (run.up, run.down):
        with pytest.raises(RunBusyError, match="another computer has taken this run over"):
            attempt()
    assert "another computer" not in " ".join(event.text for event in run.journal.events(run.run_id))
    # And back again: whoever adopts it last has it.
    adopt(Wish(run.run_id, "rehearsal"), state, silent)
    with pytest.raises(RunBusyError), adoption.run.context() as context, driving(context):
        pytest.fail("two drivers")
    run.down(discard=True)


def test_what_is_known_is_only_refreshed(run: Run, state: StateFolder) -> None:
    """Adopting a run of one's own loses no fact; another run file, an unknown id, somebody else's group are refused."""
    run.journal.put(run.run_id, Submitted(at=5.0, number=3))
    decided = run.journal.get(run.run_id, Decided)
    assert decided is not None
    run.journal.put(run.run_id, replace(decided, price_basis="known here"))
    facts = _facts(run)
    adoption = adopt(Wish(run.run_id, "rehearsal"), state, silent)
    assert adoption.was_known
    after = _facts(run)
    # What the machine alone knew has come, and its key is as it is now.
    assert {kind for kind, value in facts.items() if after[kind] != value} <= {"Trust"}
    assert after.keys() - facts.keys() == {"Prepared", "Synced"}
    with pytest.raises(NotCollectedError):
        run.down()

    wrong = Path.cwd() / "wrong.yaml"
    wrong.write_text(run.row.spec_text + "# and more\n")
    with pytest.raises(SpecError, match="another run file"):
        adopt(Wish(run.run_id, "rehearsal", run_file=wrong), state, silent)
    with pytest.raises(RunNotFoundError, match=f"no such run: tiny-cpu-zzzzzz; the runs in it: {run.run_id}"):
        adopt(Wish("tiny-cpu-zzzzzz", "rehearsal"), state, silent)


def _facts(run: Run) -> dict[str, str]:
    with sqlite3.connect(run.journal.file) as db:
        return dict(db.execute("SELECT kind, value FROM facts").fetchall())


class _KilledError(BaseException):
    """The client ends here."""


@pytest.mark.parametrize("run", ["in-process"], indirect=True)
def test_an_adoption_that_is_killed_can_be_repeated(run: Run, state: StateFolder) -> None:
    """Wherever it ends, the next one comes to the same: one key, one rule, every fact."""
    lose(state)
    steps = 0

    def count(_what: str) -> None:
        nonlocal steps
        steps += 1
        if steps in {2, 5}:
            raise _KilledError

    for _ in range(2):
        with pytest.raises(_KilledError):
            adopt(Wish(run.run_id, "rehearsal"), state, count)
        with pytest.raises(NotCollectedError, match="nobody has looked"):
            Run.open(run.run_id, state=state).down()
        with pytest.raises(RunError, match="was not asked yet"):
            Run.open(run.run_id, state=state).up()
    adoption = adopt(Wish(run.run_id, "rehearsal"), state, silent)
    assert (adoption.was_known, adoption.run.row.spec_text) == (True, run.row.spec_text)
    assert adoption.run.journal.get(run.run_id, Synced) == Synced("/the/model", "/the/data", 7)
    with adoption.run.context() as context:
        assert len(_authorized(context)) == 1
    adoption.run.down()


def test_a_machine_that_does_not_run_is_started_on_the_users_word_only(run: Run, state: StateFolder) -> None:
    """Deallocated: known, and not asked. Started: everything. Gone: a copy of the run file is enough to go on."""
    with run.context() as context:
        context.cloud.deallocate(run.run_id, silent)
    lose(state)
    asleep = adopt(Wish(run.run_id, "rehearsal"), state, silent)
    assert "`llamalift adopt" in " ".join(asleep.notes)
    assert asleep.run.row.spec_text == ""
    with pytest.raises(NotCollectedError):
        asleep.run.down()
    awake = adopt(Wish(run.run_id, "rehearsal", start=True), state, silent)
    assert awake.run.row.spec_text == run.row.spec_text
    assert look(awake.run).silence == ""

    lose(state)
    with awake.run.context() as context:
        context.use_cloud(open_rehearsal(state.root))
        cloud: Any = context.cloud
        cloud._open().compute.virtual_machines.begin_delete(f"llamalift-{run.run_id}", f"{run.run_id}-vm").wait()
    gone = adopt(Wish(run.run_id, "rehearsal"), state, silent)
    assert "its machine is gone" in gone.notes[0]
    with pytest.raises(RunError, match="does not know the run's run file"):
        gone.run.up()
    copy = Path(run.row.run_file).with_name("copy.yaml")
    copy.write_text(run.row.spec_text)
    known = adopt(Wish(run.run_id, "rehearsal", run_file=copy), state, silent)
    assert (known.run.row.spec_text, known.run.row.run_file) == (run.row.spec_text, str(copy))
    with known.run.context() as context, driving(context):
        Provision().act(context)
        # The old disk, with everything on it.
        assert carried(context.session(), RunLayout("/workspace", run.run_id), Prepared) is not None
    known.run.down(discard=True)


def test_somebody_elses_group_is_left_alone(state: StateFolder) -> None:
    """A group of the run's name without the run's tag is neither adopted nor changed."""
    cloud = open_rehearsal(state.root)
    groups = cloud._open().resources.resource_groups
    groups.create_or_update("llamalift-ours-aaaaaa", {"location": "eastus", "tags": {"llamalift-run": "other-bbbbbb"}})
    try:
        with pytest.raises(RequestRefusedError, match="is not this run's"):
            adopt(Wish("ours-aaaaaa", "rehearsal"), state, silent)
        assert groups.get("llamalift-ours-aaaaaa")["tags"] == {"llamalift-run": "other-bbbbbb"}
        assert Journal(state.journal).runs() == []
    finally:
        groups.begin_delete("llamalift-ours-aaaaaa").wait()
        cloud.close()
