"""Reads a moment in the past, as people write it."""

from __future__ import annotations

from runs.errors import SpecError
from runs.placing.until import moment_of, seconds_of

_HINT = "give a span such as 10m, 6h or 2d, or a time such as 2026-11-26T08:00"


def parse_since(text: str, now: float) -> float:
    """The moment since when, in seconds since the epoch.

    Args:
        text: A span (`10m`, `6h`, `1d12h`) before now, or an ISO 8601 time; one without a zone is local.
        now: The time, in seconds since the epoch.

    Raises:
        SpecError: It is neither.
    """
    span = seconds_of(text)
    since = moment_of(text) if span is None else now - span
    if since is None:
        raise SpecError(f"cannot read since when: {text}", hint=_HINT)
    return since
