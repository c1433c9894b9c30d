"""Rows of a run that this journal did not write itself: taken from the cloud, never over what is known better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.journal.lease import confirm
from runs.types import RunState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioning.types import ResourceRef
    from runs.journal import Journal


def note_existing(journal: Journal, run_id: str, refs: Iterable[ResourceRef], *, since: float) -> None:
    """Record resources that were seen to exist, one row each; a row that is there keeps its times.

    Ids are compared without case: Azure does not agree with itself on it.

    Args:
        journal: The journal.
        run_id: The run.
        refs: What exists.
        since: When the run was made, in seconds since the epoch, for resources that have no row.
    """
    with journal.transaction() as db:
        confirm(db, run_id, journal.holders.get(run_id))
        rows = db.execute("SELECT resource_id FROM effects WHERE run_id = ?", (run_id,)).fetchall()
        known = {str(row[0]).lower(): row[0] for row in rows}
        for ref in refs:
            db.execute(
                "INSERT INTO effects (run_id, kind, name, resource_id, create_intended_at, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (run_id, resource_id) DO UPDATE SET"
                " created_at = coalesce(created_at, excluded.created_at), gone_at = NULL",
                (run_id, ref.kind, ref.name, known.get(ref.resource_id.lower(), ref.resource_id), since, since),
            )
        db.execute("UPDATE runs SET state = ? WHERE run_id = ?", (RunState.ACTIVE, run_id))


def set_run_file(journal: Journal, run_id: str, text: str, path: str) -> None:
    """Record a run file that was found again, and the place that its relative paths begin at."""
    with journal.transaction() as db:
        confirm(db, run_id, journal.holders.get(run_id))
        db.execute("UPDATE runs SET spec_text = ?, run_file = ? WHERE run_id = ?", (text, path, run_id))
