"""Reading and writing the journal."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from runs.errors import JournalError, RunNotFoundError
from runs.journal.lease import confirm
from runs.journal.tables import DDL, LAYOUT_VERSION, RENEWALS
from runs.types import EffectMoment, EffectRow, EventKind, EventRow, RunRow, RunState, StageName, StageRow, StageState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from _typeshed import DataclassInstance

_Fact = TypeVar("_Fact")

# A writer waits this long for another client's transaction; each of ours lasts milliseconds.
_BUSY_SECONDS = 20.0


class Journal:
    """What every run meant to do and did.

    Every method is one transaction, durable when it returns (`synchronous=FULL`), and opens its own connection, so that
    a journal may be used from several threads and processes at once. What a client writes about a run that it drives is
    refused once another client drives it.

    Raises:
        RunBusyError: By whatever writes: this client was suspended, and another one has taken the run over.
        JournalError: The file is no journal, one of an unknown version, or cannot be read or written.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        # Which runs this client drives, and under which name (runs.journal.lease).
        self.holders: dict[str, str] = {}
        # Asked before effects in the cloud: has another computer taken the run over (runs.driver)?
        self.fences: dict[str, Callable[[], None]] = {}
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise JournalError(
                f"the state folder cannot be made: {file.parent} ({error.strerror})",
                hint="name a folder that you may write with `export LLAMALIFT_STATE_DIR=FOLDER`",
            ) from error
        with self._open() as db:
            version = _version(db)
            if version == 0:
                # At once: tables without their version would be renewed wrongly, or not at all.
                db.executescript(f"BEGIN IMMEDIATE; {DDL} PRAGMA user_version = {LAYOUT_VERSION}; COMMIT;")
            elif version in RENEWALS:
                self._renew()
            elif version != LAYOUT_VERSION:
                raise JournalError(
                    f"the journal was written by another version of llamalift: {file}",
                    hint="upgrade llamalift, or begin with a new folder: `export LLAMALIFT_STATE_DIR=FOLDER`",
                )

    def _renew(self) -> None:
        with self.transaction() as db:
            # Another client may have been faster.
            while (version := _version(db)) in RENEWALS:
                db.execute(RENEWALS[version])
                db.execute(f"PRAGMA user_version = {version + 1}")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(self.file, timeout=_BUSY_SECONDS, isolation_level=None)
            try:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                db.execute("PRAGMA foreign_keys = ON")
                yield db
            finally:
                db.close()
        except sqlite3.Error as error:
            raise JournalError(
                f"the journal cannot be used: {self.file} ({error})",
                hint="move it away, or name another folder with `export LLAMALIFT_STATE_DIR=FOLDER`",
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: all of it or nothing."""
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def write(self, sql: str, *values: object) -> None:
        """One statement as a transaction of its own; for the modules of this package."""
        with self.transaction() as db:
            db.execute(sql, values)

    def write_as_driver(self, run_id: str, sql: str, *values: object) -> None:
        """Write unless another client has taken the run over from this one."""
        with self.transaction() as db:
            confirm(db, run_id, self.holders.get(run_id))
            db.execute(sql, values)

    def confirm(self, run_id: str) -> None:
        """Make sure that a run which this client drives is still its own: before effects that no intent announces.

        Raises:
            RunBusyError: Another client has taken it over, here or on another computer.
            ProvisioningError: The cloud had to be asked for that, and does not answer.
        """
        if fence := self.fences.get(run_id):
            fence()
        self.confirm_lease(run_id)

    def confirm_lease(self, run_id: str) -> None:
        """The same as far as this computer can tell: no cloud is asked.

        Raises:
            RunBusyError: Another client here has taken it over.
        """
        with self.transaction() as db:
            confirm(db, run_id, self.holders.get(run_id))

    def read(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of one query; for the modules of this package."""
        with self._open() as db:
            return db.execute(sql, values).fetchall()

    # Runs

    def add_run(self, row: RunRow) -> None:
        """Record a run before anything else is done for it."""
        self.write(
            "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            row.run_id, row.name, row.cloud, row.created_at, row.run_file, row.spec_text, row.spec_sha256, row.state,
        )  # fmt: skip

    def runs(self) -> list[RunRow]:
        """All runs, newest first."""
        rows = self.read("SELECT * FROM runs ORDER BY created_at DESC, run_id")
        return [RunRow(r[0], r[1], r[2], r[3], r[4], r[5], r[6], RunState(r[7])) for r in rows]

    def run(self, run_id: str) -> RunRow:
        """One run by its id, by its name, or by an unambiguous beginning of its id.

        Raises:
            RunNotFoundError: None, or more than one, matches.
        """
        rows = self.runs()
        exact = [row for row in rows if row.run_id == run_id]
        matching = exact or [row for row in rows if row.run_id.startswith(run_id)]
        active = [row for row in matching if row.state is RunState.ACTIVE]
        if len(matching) == 1 or len(active) == 1:
            return (active or matching)[0]
        if not matching:
            raise RunNotFoundError(f"no such run: {run_id}", hint="see them with `llamalift ls`")
        raise RunNotFoundError(
            f"more than one run begins with that: {', '.join(row.run_id for row in matching)}",
            hint="give the whole run id; see them with `llamalift ls`",
        )

    def set_run_state(self, run_id: str, state: RunState) -> None:
        """Record where the run stands as a whole."""
        self.write_as_driver(run_id, "UPDATE runs SET state = ? WHERE run_id = ?", state, run_id)

    # Stages

    def stage_started(self, run_id: str, stage: StageName) -> None:
        """Record that a stage begins, or begins again."""
        self.write_as_driver(
            run_id,
            "INSERT INTO stages VALUES (?, ?, ?, ?, NULL, '') ON CONFLICT (run_id, stage) DO UPDATE SET"
            " state = excluded.state, ended_at = NULL, summary = ''",
            run_id, stage, StageState.RUNNING, time.time(),
        )  # fmt: skip

    def stage_ended(self, run_id: str, stage: StageName, state: StageState, summary: str) -> None:
        """Record how a stage ended."""
        self.write_as_driver(
            run_id,
            "UPDATE stages SET state = ?, ended_at = ?, summary = ? WHERE run_id = ? AND stage = ?",
            state, time.time(), summary, run_id, stage,
        )  # fmt: skip

    def stages(self, run_id: str) -> list[StageRow]:
        """The stages that have begun, in order."""
        rows = self.read(
            "SELECT stage, state, started_at, ended_at, summary FROM stages WHERE run_id = ? ORDER BY started_at",
            run_id,
        )
        return [StageRow(StageName(r[0]), StageState(r[1]), r[2], r[3], r[4]) for r in rows]

    # Effects

    def effects(self, run_id: str) -> list[EffectRow]:
        """Every cloud resource that was ever meant for the run, in order of intent."""
        rows = self.read(
            "SELECT kind, name, resource_id, create_intended_at, created_at, delete_intended_at, gone_at"
            " FROM effects WHERE run_id = ? ORDER BY seq",
            run_id,
        )
        return [EffectRow(*row) for row in rows]

    def note_effect(
        self,
        run_id: str,
        moment: EffectMoment,
        *,
        kind: str,
        name: str,
        resource_id: str,
        also: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        """Write the time of one moment in a resource's life; an intent to create opens a new life.

        Args:
            run_id: The run.
            moment: Which moment.
            kind: The resource's kind.
            name: Its name.
            resource_id: Its id in the cloud.
            also: What is written in the same transaction, all or nothing.
        """
        reborn = moment is EffectMoment.CREATE_INTENDED
        forget = ", created_at = NULL, delete_intended_at = NULL, gone_at = NULL" if reborn else ""
        with self.transaction() as db:
            confirm(db, run_id, self.holders.get(run_id))
            db.execute(
                f"INSERT INTO effects (run_id, kind, name, resource_id, {moment}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608 - an enum
                f" ON CONFLICT (run_id, resource_id) DO UPDATE SET {moment} = excluded.{moment}{forget}",
                (run_id, kind, name, resource_id, time.time()),
            )
            if also is not None:
                also(db)

    def overview_rows(self) -> list[tuple[str, str, float, str, str, str, int]]:
        """Every run, newest first: id, cloud, created at, state, last stage, its state, resources not proven gone."""
        return self.read(
            """
            SELECT r.run_id, r.cloud, r.created_at, r.state, coalesce(s.stage, ''), coalesce(s.state, ''),
                   (SELECT count(*) FROM effects e WHERE e.run_id = r.run_id AND e.gone_at IS NULL)
            FROM runs r LEFT JOIN stages s ON s.run_id = r.run_id
                 AND s.started_at = (SELECT max(started_at) FROM stages WHERE run_id = r.run_id)
            ORDER BY r.created_at DESC, r.run_id
            """
        )

    def accounts(self) -> list[tuple[str, str, str]]:
        """Every run that has not ended and was decided on: id, cloud, subscription."""
        return self.read(
            "SELECT r.run_id, r.cloud, json_extract(f.value, '$.subscription_id') FROM runs r JOIN facts f"
            " ON f.run_id = r.run_id AND f.kind = 'Decided' WHERE r.state != ? ORDER BY r.created_at DESC",
            RunState.ENDED,
        )

    # Facts

    def put(self, run_id: str, fact: DataclassInstance) -> None:
        """Record a fact, replacing an earlier one of the same kind."""
        self.write_as_driver(
            run_id,
            "INSERT INTO facts VALUES (?, ?, ?, ?) ON CONFLICT (run_id, kind) DO UPDATE SET"
            " at = excluded.at, value = excluded.value",
            run_id, self._name(type(fact)), time.time(), json.dumps(asdict(fact)),
        )  # fmt: skip

    def get(self, run_id: str, kind: type[_Fact]) -> _Fact | None:
        """The newest fact of a kind, or None."""
        rows = self.read("SELECT value FROM facts WHERE run_id = ? AND kind = ?", run_id, self._name(kind))
        return kind(**json.loads(rows[0][0])) if rows else None

    def forget(self, run_id: str, kind: type[object]) -> None:
        """Take a fact back that no longer holds."""
        self.write_as_driver(run_id, "DELETE FROM facts WHERE run_id = ? AND kind = ?", run_id, self._name(kind))

    def _name(self, kind: type[object]) -> str:
        return kind.__name__

    # Events

    def event(self, run_id: str, text: str, kind: EventKind = EventKind.NOTE) -> None:
        """Record something that happened, in plain words."""
        self.write(
            "INSERT INTO events (run_id, at, text, kind) VALUES (?, ?, ?, ?)", run_id, time.time(), text, str(kind)
        )

    def events(self, run_id: str) -> Sequence[EventRow]:
        """What happened, oldest first."""
        rows = self.read("SELECT at, text, kind FROM events WHERE run_id = ? ORDER BY seq", run_id)
        return [EventRow(at, text, EventKind(kind)) for at, text, kind in rows]


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
