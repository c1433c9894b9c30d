"""Many runs at once: one real run, copied into the rehearsal cloud's own files and into a journal."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from contextlib import closing
from typing import TYPE_CHECKING

from provisioning.rehearsal import files
from runs.journal import Journal
from runs.types import EffectMoment, StageName, StageState

if TYPE_CHECKING:
    from pathlib import Path

    from runs.state_folder import StateFolder


def copied_id(run_id: str, number: int) -> str:
    """The id of a copy: as long as the run's own."""
    return f"{run_id[:-6]}{number:06}"


def copy_in_cloud(rehearsal: Path, run_id: str, copies: int) -> None:
    """Copy everything of a run into a rehearsal cloud whose emulator is not running."""
    with closing(sqlite3.connect(rehearsal / files.CLOUD)) as database, database:
        rows = database.execute("SELECT key, record FROM resources ORDER BY rowid").fetchall()
        mine = [(key, record) for key, record in rows if run_id in key]
        for number in range(copies):
            for key, record in mine:
                copy = json.loads(record.replace(run_id, copied_id(run_id, number)))
                properties = copy["body"].get("properties", {})
                if "vmId" in properties:
                    properties["vmId"] = str(uuid.uuid4())
                if "ipAddress" in properties:
                    properties["ipAddress"] = f"127.200.{number // 250}.{number % 250 + 1}"
                database.execute(
                    "INSERT INTO resources VALUES (?, ?)",
                    (key.replace(run_id, copied_id(run_id, number)), json.dumps(copy)),
                )


def copy_in_journal(state: StateFolder, run_id: str, copies: int) -> None:
    """Enter the copies into the journal as the run itself is in it: decided on, its machine running."""
    journal = Journal(state.journal)
    row = journal.run(run_id)
    effects = journal.effects(run_id)
    facts = journal.read("SELECT kind, at, value FROM facts WHERE run_id = ?", run_id)
    with journal.transaction() as db:
        for number in range(copies):
            copy = copied_id(run_id, number)
            db.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (copy, row.name, row.cloud, row.created_at, row.run_file, row.spec_text, row.spec_sha256, row.state),
            )
            db.execute(
                "INSERT INTO stages (run_id, stage, state, started_at) VALUES (?, ?, ?, ?)",
                (copy, StageName.PROVISION, StageState.RUNNING, time.time()),
            )
            db.executemany("INSERT INTO facts VALUES (?, ?, ?, ?)", [(copy, *fact) for fact in facts])
            db.executemany(
                f"INSERT INTO effects (run_id, kind, name, resource_id, {EffectMoment.CREATE_INTENDED}, "  # noqa: S608 - an enum
                f"{EffectMoment.CREATED}) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (copy, one.kind, one.name, one.resource_id.replace(run_id, copy), one.create_intended_at, 1.7e9)
                    for one in effects
                ],
            )
