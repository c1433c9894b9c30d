"""The journal keeps what was meant and what was done."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from runs.errors import JournalError, RunBusyError, RunNotFoundError
from runs.facts import Rented, Trust
from runs.journal import Journal
from runs.journal.lease import STALE_SECONDS, lease
from runs.types import EffectMoment, EventKind, RunRow, RunState, StageName, StageState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A journal with one run."""
    made = Journal(tmp_path / "journal.sqlite")
    made.add_run(row("tiny-aaaaaa"))
    return made


def row(run_id: str, state: RunState = RunState.ACTIVE) -> RunRow:
    """A run of that id."""
    return RunRow(run_id, run_id.split("-", maxsplit=1)[0], "rehearsal", 1.0, "run.yaml", "name: tiny", "0" * 64, state)


def test_a_run_is_found_by_an_unambiguous_beginning(journal: Journal) -> None:
    """The user need not type six characters of chance."""
    journal.add_run(row("tiny-bbbbbb"))
    assert journal.run("tiny-b").run_id == "tiny-bbbbbb"
    with pytest.raises(RunNotFoundError, match="more than one"):
        journal.run("tiny")
    with pytest.raises(RunNotFoundError, match="no such run: other"):
        journal.run("other")


def test_a_name_means_the_one_run_that_is_still_active(journal: Journal) -> None:
    """Old runs of the same name do not get in the way."""
    journal.add_run(row("tiny-bbbbbb", RunState.ENDED))
    assert journal.run("tiny").run_id == "tiny-aaaaaa"


def test_a_stage_that_begins_again_keeps_its_first_start(journal: Journal) -> None:
    """The time that a stage took includes every attempt."""
    journal.stage_started("tiny-aaaaaa", StageName.SYNC)
    first = journal.stages("tiny-aaaaaa")[0].started_at
    journal.stage_ended("tiny-aaaaaa", StageName.SYNC, StageState.FAILED, "cut")
    journal.stage_started("tiny-aaaaaa", StageName.SYNC)
    again = journal.stages("tiny-aaaaaa")[0]
    assert (again.started_at, again.state, again.ended_at, again.summary) == (first, StageState.RUNNING, None, "")


def test_a_new_intent_opens_a_new_life(journal: Journal) -> None:
    """A resource that was deleted and is created again is not taken for gone."""

    def note(moment: EffectMoment) -> None:
        journal.note_effect("tiny-aaaaaa", moment, kind="disk", name="d", resource_id="/disks/d")

    for moment in EffectMoment:
        note(moment)
    assert journal.effects("tiny-aaaaaa")[0].gone_at is not None
    note(EffectMoment.CREATE_INTENDED)
    effect = journal.effects("tiny-aaaaaa")[0]
    assert (effect.created_at, effect.delete_intended_at, effect.gone_at) == (None, None, None)
    assert len(journal.effects("tiny-aaaaaa")) == 1


def test_the_newest_fact_of_a_kind_counts(journal: Journal) -> None:
    """Facts come back as what they were put in as; kinds do not mix."""
    journal.put("tiny-aaaaaa", Trust(one_time="ssh-ed25519 A"))
    journal.put("tiny-aaaaaa", Trust(one_time="", own="ssh-ed25519 B"))
    assert journal.get("tiny-aaaaaa", Trust) == Trust(one_time="", own="ssh-ed25519 B")
    assert journal.get("tiny-aaaaaa", Rented) is None


def test_only_living_keys_are_accepted() -> None:
    """Between pinning and switching both keys are right; an empty one never is."""
    assert Trust(one_time="A", own="B").accepted() == ("B", "A")
    assert Trust(one_time="", own="B").accepted() == ("B",)


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    """A journal that we might misread is left alone."""
    file = tmp_path / "journal.sqlite"
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalError, match="another version"):
        Journal(file)


def test_a_file_of_the_version_before_is_renewed(tmp_path: Path) -> None:
    """Whoever upgrades while a machine is rented keeps the run, and what was noted of it."""
    old = Journal(tmp_path / "journal.sqlite")
    old.add_run(row("tiny-aaaaaa"))
    old.event("tiny-aaaaaa", "noted before")
    with sqlite3.connect(old.file) as db:
        db.execute("ALTER TABLE events DROP COLUMN kind")
        db.execute("PRAGMA user_version = 2")
    db.close()
    renewed = Journal(old.file)
    renewed.event("tiny-aaaaaa", "connection lost", EventKind.CONNECTION_LOST)
    told = [(event.text, event.kind) for event in Journal(old.file).events("tiny-aaaaaa")]
    assert told == [("noted before", EventKind.NOTE), ("connection lost", EventKind.CONNECTION_LOST)]


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    """Garbage is an error of ours, not a traceback."""
    file = tmp_path / "journal.sqlite"
    file.write_bytes(b"not a database" * 100)
    with pytest.raises(JournalError, match="cannot be used"):
        Journal(file)


def test_the_second_driver_is_told_who_drives(journal: Journal) -> None:
    """Two clients never drive one run; afterwards the way is free again."""
    with (
        lease(journal, "tiny-aaaaaa"),
        pytest.raises(RunBusyError, match=str(os.getpid())),
        lease(journal, "tiny-aaaaaa"),
    ):
        pytest.fail("two drivers")
    with lease(journal, "tiny-aaaaaa"):
        pass


def test_a_dead_driver_is_succeeded_at_once(journal: Journal) -> None:
    """On this computer nobody waits for a dead process's heartbeat to grow old."""
    process = multiprocessing.get_context("spawn").Process(target=_take_and_die, args=(journal.file,))
    process.start()
    process.join(30)
    assert process.exitcode == 9
    with lease(journal, "tiny-aaaaaa"):
        pass


def test_a_driver_elsewhere_is_succeeded_when_it_fell_silent(journal: Journal) -> None:
    """Another computer's process cannot be looked at; its heartbeat can."""

    def elsewhere(heartbeat_at: float) -> None:
        with journal.transaction() as db:
            db.execute("DELETE FROM leases")
            db.execute("INSERT INTO leases VALUES ('tiny-aaaaaa', 'x', 'elsewhere', 1, ?)", (heartbeat_at,))

    elsewhere(time.time())
    with pytest.raises(RunBusyError, match="elsewhere"), lease(journal, "tiny-aaaaaa"):
        pytest.fail("two drivers")
    elsewhere(time.time() - STALE_SECONDS - 1)
    with lease(journal, "tiny-aaaaaa"):
        pass


def _take_and_die(file: Path) -> None:
    with lease(Journal(file), "tiny-aaaaaa"):
        os._exit(9)


def test_a_client_that_was_suspended_notices_before_it_acts(journal: Journal) -> None:
    """Its row is another's, or gone: whatever it wants to write as the driver is refused, and nothing is written."""
    with lease(journal, "tiny-aaaaaa"):
        _succeed(journal)
        writes: tuple[Callable[[], None], ...] = (
            lambda: journal.note_effect(
                "tiny-aaaaaa", EffectMoment.CREATE_INTENDED, kind="disk", name="d", resource_id="/disks/d"
            ),
            lambda: journal.put("tiny-aaaaaa", Trust(one_time="ssh-ed25519 A")),
            lambda: journal.stage_started("tiny-aaaaaa", StageName.TRAIN),
            lambda: journal.confirm("tiny-aaaaaa"),
        )
        for write in writes:
            with pytest.raises(RunBusyError, match="process 1 on elsewhere"):
                write()
        with journal.transaction() as db:
            db.execute("DELETE FROM leases")
        with pytest.raises(RunBusyError, match="has finished"):
            journal.confirm("tiny-aaaaaa")
    assert journal.effects("tiny-aaaaaa") == []
    assert journal.get("tiny-aaaaaa", Trust) is None
    # Whoever drives nothing may write: `adopt` and tests of other parts do.
    journal.put("tiny-aaaaaa", Trust(one_time="ssh-ed25519 A"))


def test_a_successors_lease_survives_its_predecessor(journal: Journal) -> None:
    """A client that was suspended takes nothing with it when it leaves."""
    with lease(journal, "tiny-aaaaaa"):
        _succeed(journal)
    with pytest.raises(RunBusyError, match="elsewhere"), lease(journal, "tiny-aaaaaa"):
        pytest.fail("two drivers")


def _succeed(journal: Journal) -> None:
    with journal.transaction() as db:
        db.execute("DELETE FROM leases")
        db.execute("INSERT INTO leases VALUES ('tiny-aaaaaa', 'x', 'elsewhere', 1, ?)", (time.time(),))


def test_a_suspended_process_stops_before_its_next_effect(journal: Journal) -> None:
    """Ctrl-Z, a successor, `fg`: a real process finds its lease gone, and its intent is not written."""
    argv = [sys.executable, "-m", "tests.fakes.suspended_client", str(journal.file), "tiny-aaaaaa"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "driving\n"
        client.send_signal(signal.SIGSTOP)
        with journal.transaction() as db:
            # What half a minute would do.
            db.execute("UPDATE leases SET heartbeat_at = heartbeat_at - ?", (STALE_SECONDS + 1,))
        with lease(journal, "tiny-aaaaaa"):
            client.send_signal(signal.SIGCONT)
            said, _ = client.communicate("act\n", timeout=60)
            assert "stopped: this client was suspended for too long, and another one has taken the run over" in said
            # It left without taking the successor's lease along.
            journal.confirm("tiny-aaaaaa")
    assert journal.effects("tiny-aaaaaa") == []
