"""What a run's data was curated by, as the machine's markers say it, kept in the journal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runs.curation_step import curation_of
from runs.facts import Curated, Synced

if TYPE_CHECKING:
    from runs.context import RunContext


def note_curation(context: RunContext) -> None:
    """Keep what the curations left; nothing where the run file asks for none.

    Raises:
        UnreachableError: The connection broke.
    """
    from remote.adoption import read_file

    layout, synced = context.layout(), context.require(Synced)
    trainings = [training for training in context.spec.trainings if training.data.rule_sets]
    curations = dict.fromkeys(curation_of(training, synced.stage_data, layout) for training in trainings)
    if not curations or context.get(Curated) is not None:
        return
    markers = {one.name: read_file(context.session(), layout.path(one.marker)) for one in curations}
    found = {name: json.loads(marker) for name, marker in markers.items() if marker}
    context.journal.put(context.run_id, Curated(found))
    for marker in found.values():
        words = f"curated by {marker['rules_name']}: {marker['kept']:,} of {marker['rows']:,} rows kept"
        context.journal.event(context.run_id, f"{words}, fingerprint {marker['fingerprint']}")
