"""What a failed try means for the next one. By the type of the error, which the cloud's codes decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.errors import (
    CapacityError,
    MoveFailedError,
    NotOfferedError,
    QuotaError,
    ThrottledError,
    TransientError,
)
from runs.journal.attempts import Outcome

if TYPE_CHECKING:
    from provisioning.errors import ProvisioningError

# The first that fits counts. Whatever is missing here is permanent: sign-in, rights, policy, subscription, a size or an
# image that does not exist. No other place mends those, so they end the search.
_OUTCOMES: tuple[tuple[type[ProvisioningError], Outcome], ...] = (
    (NotOfferedError, Outcome.NOT_OFFERED),
    (CapacityError, Outcome.CAPACITY),
    (QuotaError, Outcome.QUOTA),
    (ThrottledError, Outcome.THROTTLED),
    (TransientError, Outcome.TROUBLE),
    (MoveFailedError, Outcome.MOVE),
)


def outcome_of(error: ProvisioningError) -> Outcome:
    """How a try ended that raised `error`; `REFUSED` is permanent."""
    return next((outcome for kind, outcome in _OUTCOMES if isinstance(error, kind)), Outcome.REFUSED)
