"""Says what was tried, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioning.types import Placement
    from runs.journal.attempts import Attempt

_MOST_SHOWN = 12


def place_words(placement: Placement) -> str:
    """`eastus zone 1`, `eastus` for no zone."""
    return f"{placement.region} zone {placement.zone}" if placement.zone else placement.region


def summary(tries: Sequence[Attempt]) -> str:
    """`eastus zone 1: no capacity (ZonalAllocationFailed); eastus: quota`, the newest outcome of each place.

    The size stands before the place where there were several.
    """
    newest = {one.placement: one for one in tries}
    several = len({place.size for place in newest}) > 1
    parts = [
        f"{place.size + ' in ' if several else ''}{place_words(place)}: {one.reason}" for place, one in newest.items()
    ]
    more = len(parts) - _MOST_SHOWN
    return "; ".join([*parts[:_MOST_SHOWN], *([f"and {more} more"] if more > 0 else [])])
