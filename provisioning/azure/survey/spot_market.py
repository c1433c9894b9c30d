"""What spot machines have cost lately and how often they are taken back, from Resource Graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioning.survey_types import SpotPrice


@dataclass(frozen=True, slots=True)
class SpotMarket:
    """One size in one region.

    Attributes:
        history: Prices of the last 90 days, oldest first.
        eviction_band: Share of machines evicted in an hour, as Azure bands it; empty when unknown.
    """

    history: tuple[SpotPrice, ...]
    eviction_band: str
