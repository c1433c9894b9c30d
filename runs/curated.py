"""What a run's data was curated by, as the machine's marker says it, kept in the journal."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING

from runs.facts import Curated
from templates.curation.step import MARKER

if TYPE_CHECKING:
    from runs.context import RunContext


def note_curation(context: RunContext) -> None:
    """Keep what the curation left; nothing where the run file asks for none.

    Raises:
        UnreachableError: The connection broke.
    """
    from remote.adoption import read_file

    if not context.spec.data.rule_sets or context.get(Curated) is not None:
        return
    found = read_file(context.session(), context.layout().path("markers", MARKER))
    if found is None:
        return
    marker = json.loads(found)
    curated = Curated(**{field.name: marker[field.name] for field in fields(Curated)})
    context.journal.put(context.run_id, curated)
    words = f"curated by {curated.rules_name}: {curated.kept:,} of {curated.rows:,} rows kept, {curated.fingerprint}"
    context.journal.event(context.run_id, words)
