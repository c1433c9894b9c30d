"""One client drives a run at a time: a row with a heartbeat, taken over when its holder is dead.

A client that was suspended for longer than others wait has lost its row without knowing. So each of its writes to the
journal first makes sure that the row is still its own, in the same transaction: no intent, no external effect.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from provisioning.processes import is_running
from runs.errors import JournalError, RunBusyError
from runs.types import LeaseRow

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from runs.journal.store import Journal

HEARTBEAT_SECONDS = 5.0
# Six missed heartbeats: longer than a laptop's short sleep, shorter than anyone's patience.
STALE_SECONDS = 30.0


@contextmanager
def lease(journal: Journal, run_id: str) -> Iterator[None]:
    """Hold the run for as long as the block lasts.

    Raises:
        RunBusyError: A living client drives it; the message says which.
    """
    holder = uuid.uuid4().hex
    _take(journal, run_id, holder)
    journal.holders[run_id] = holder
    stop = threading.Event()
    heart = threading.Thread(target=_beat, args=(journal, run_id, holder, stop), daemon=True, name="lease-heartbeat")
    heart.start()
    try:
        yield
    finally:
        stop.set()
        heart.join()
        del journal.holders[run_id]
        with journal.transaction() as db:
            db.execute("DELETE FROM leases WHERE run_id = ? AND holder = ?", (run_id, holder))


def confirm(db: sqlite3.Connection, run_id: str, holder: str | None) -> None:
    """Make sure, inside a write transaction, that a client which holds a run still does; who holds none may write.

    Raises:
        RunBusyError: The row is another client's, or gone: this client was suspended and has been succeeded.
    """
    if holder is None:
        return
    current = _read(db, run_id)
    if current is None or current.holder != holder:
        who = f"process {current.pid} on {current.host}" if current else "a client that has finished"
        raise RunBusyError(
            f"this client was suspended for too long, and another one has taken the run over since: {who}",
            hint=f"see how it stands with `llamalift status {run_id}`",
        )


def driver_of(journal: Journal, run_id: str) -> LeaseRow | None:
    """The living client that drives the run, or None."""
    with journal.transaction() as db:
        current = _read(db, run_id)
    return current if current is not None and _is_alive(current) else None


def _take(journal: Journal, run_id: str, holder: str) -> None:
    with journal.transaction() as db:
        current = _read(db, run_id)
        if current is not None and _is_alive(current):
            raise RunBusyError(
                f"another client drives this run: process {current.pid} on {current.host}",
                hint=f"watch it with `llamalift status {run_id}`",
            )
        db.execute(
            "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?)",
            (run_id, holder, socket.gethostname(), os.getpid(), time.time()),
        )


def _read(db: sqlite3.Connection, run_id: str) -> LeaseRow | None:
    row = db.execute("SELECT holder, host, pid, heartbeat_at FROM leases WHERE run_id = ?", (run_id,)).fetchone()
    return LeaseRow(*row) if row else None


def _is_alive(row: LeaseRow) -> bool:
    """Whether the holder still beats; on this computer a dead process needs no waiting for."""
    if time.time() - row.heartbeat_at > STALE_SECONDS:
        return False
    return row.host != socket.gethostname() or is_running(row.pid)


def _beat(journal: Journal, run_id: str, holder: str, stop: threading.Event) -> None:
    """Renew the row while it is ours: one that another client holds, or has removed, is left alone."""
    while not stop.wait(HEARTBEAT_SECONDS):
        try:
            with journal.transaction() as db:
                db.execute(
                    "UPDATE leases SET heartbeat_at = ? WHERE run_id = ? AND holder = ?", (time.time(), run_id, holder)
                )
        except JournalError:
            # A disk that is full for a moment: the next beat, or the next write of the run itself, says so.
            continue
