"""What can go wrong with a cloud.

ProvisioningError
├── SignInError          no usable credential, or it has expired
├── RightsError          signed in, but not allowed
├── SubscriptionError    unknown or unusable subscription, provider not registered
├── QuotaError           the subscription's limit is too small
├── CapacityError        the cloud has no such machine free here now
│   └── NotOfferedError  the subscription cannot have such a machine here; another place may have it
├── ThrottledError       too many requests for longer than we wait
├── TransientError       the cloud or the network failed; the same call may work later
├── MoveFailedError      a disk could not be brought to another place; it is where it was
├── RequestRefusedError  the cloud refuses what we asked (our mistake or the run file's)
├── LeftoversError       something still exists after teardown
└── RehearsalError       the rehearsal cloud itself could not be started
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provisioning.types import ResourceRef


class ProvisioningError(Exception):
    """Base of this layer: a fact, the cloud's own error code where there is one, and the next command."""

    def __init__(self, fact: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(fact)
        self.fact = fact
        self.hint = hint
        self.code = code


class SignInError(ProvisioningError):
    """No usable credential, or it has expired."""


class RightsError(ProvisioningError):
    """Signed in, but not allowed."""


class SubscriptionError(ProvisioningError):
    """Unknown or unusable subscription, or a resource provider that is not registered."""


class QuotaError(ProvisioningError):
    """The subscription's limit is too small; another region or a quota request helps, a retry does not."""


class CapacityError(ProvisioningError):
    """The cloud has no such machine free here now; another zone, region or time may have."""


class NotOfferedError(CapacityError):
    """The subscription cannot have such a machine here; another zone, region or size may be had."""


class ThrottledError(ProvisioningError):
    """The cloud asked us to slow down for longer than we are willing to wait inside one call.

    Attributes:
        wait_seconds: For how long, in seconds; None when it did not say.
    """

    wait_seconds: float | None = None


class TransientError(ProvisioningError):
    """The cloud or the network failed; the same call may work later."""


class MoveFailedError(ProvisioningError):
    """A disk could not be brought to another place; it is where it was."""


class RequestRefusedError(ProvisioningError):
    """The cloud refuses the request as it stands."""


class RehearsalError(ProvisioningError):
    """The rehearsal cloud itself could not be started."""


class LeftoversError(ProvisioningError):
    """Something still exists after teardown.

    Attributes:
        remaining: What, by id.
        reasons: Why, as far as the cloud said so, by resource id.
    """

    def __init__(
        self,
        fact: str,
        remaining: Sequence[ResourceRef],
        *,
        reasons: Mapping[str, str] | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(fact, hint=hint)
        self.remaining = tuple(remaining)
        self.reasons = dict(reasons or {})
