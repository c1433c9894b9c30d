"""Reads how long to go on trying, as people write it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from runs.errors import SpecError

_SPAN = re.compile(r"(?:(?P<days>\d+)d)?(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?")
_LONGEST = timedelta(days=30)
_HINT = "give a span such as 90m, 6h or 2d, or a time such as 2026-11-26T08:00"


def parse_until(text: str, now: float) -> float:
    """The moment until which to go on trying, in seconds since the epoch.

    Args:
        text: A span (`90m`, `6h`, `2d`, `1d12h`) from now, or an ISO 8601 time; one without a zone is local.
        now: The time, in seconds since the epoch.

    Raises:
        SpecError: It is neither, it is over, or it is more than 30 days away.
    """
    span = seconds_of(text)
    until = moment_of(text) if span is None else now + span
    if until is None:
        raise SpecError(f"cannot read how long to go on trying: {text}", hint=_HINT)
    if until <= now:
        raise SpecError(f"the time until which to go on trying is over: {text}", hint=_HINT)
    if until > now + _LONGEST.total_seconds():
        raise SpecError(f"more than the {_LONGEST.days} days for which to go on trying: {text}", hint=_HINT)
    return until


def seconds_of(text: str) -> float | None:
    """The seconds of a span such as `90m` or `1d12h`; None when it is none."""
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None or not any(found.groups()):
        return None
    # More digits than a span can have would only overflow.
    parts = {name: min(int(number), 10**6) for name, number in found.groupdict(default="0").items()}
    return timedelta(**parts).total_seconds()


def moment_of(text: str) -> float | None:
    """An ISO 8601 time in seconds since the epoch, local where it has no zone; None when it is none."""
    try:
        return datetime.fromisoformat(text.strip()).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        return None
