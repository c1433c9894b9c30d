"""Whether deleting a run would lose a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.facts import Collected, Leaving, Prepared, Submitted, Unread

if TYPE_CHECKING:
    from runs.journal import Journal


def may_lose_model(journal: Journal, run_id: str) -> bool:
    """Whether a job was handed over whose model is not at home, and nobody has decided to give it up.

    Of a run that was adopted unread nobody knows; then there may be one.
    """
    if journal.get(run_id, Leaving) is not None or journal.get(run_id, Collected) is not None:
        return False
    if journal.get(run_id, Unread) is not None:
        return True
    return journal.get(run_id, Submitted) is not None and journal.get(run_id, Prepared) is not None
