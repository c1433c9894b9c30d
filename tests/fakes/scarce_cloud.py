"""A cloud in which machines are scarce: what each place answers is scripted, and what stands where can be looked at."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from provisioning.errors import CapacityError, ProvisioningError, TransientError
from provisioning.types import (
    Account,
    DeletionProof,
    ImageReference,
    Machine,
    MachineRequest,
    Placement,
    PowerState,
    ResourceKind,
    ResourceRef,
)

if TYPE_CHECKING:
    from provisioning.survey_types import Survey, SurveyRequest
    from provisioning.types import Ledger, Progress

_MACHINE = ResourceRef(ResourceKind.VIRTUAL_MACHINE, "vm", "/vm")


class ScarceCloud:
    """The part of `provisioning.types.Cloud` that a search uses.

    Attributes:
        script: For each place what its next tries raise, first to last; None is a machine. A place without a script has
            none free.
        asked: Every place that was asked for a machine, in order.
        vacated: What was kept at each `vacate`.
        machine: Where a machine stands now; None nowhere.
        requests: What was asked for, like `asked`.
        vacate_error: What `vacate` raises; None lets it do its work.
        survey_answer: What the cloud says when it is asked first; an error when it cannot be.
    """

    name = "rehearsal"

    def __init__(self) -> None:
        self.script: defaultdict[Placement, list[BaseException | None]] = defaultdict(list)
        self.asked: list[Placement] = []
        self.vacated: list[Placement | None] = []
        self.machine: Placement | None = None
        self.requests: list[MachineRequest] = []
        self.vacate_error: ProvisioningError | None = None
        self.survey_answer: Survey | ProvisioningError = TransientError("no survey")

    def account(self) -> Account:
        """Someone."""
        return Account("00000000-0000-0000-0000-000000000000", "a subscription")

    def caller_address(self) -> str:
        """Here."""
        return "127.0.0.1/32"

    def resolve_image(self, region: str, image: ImageReference) -> ImageReference:
        """A version that tells the region."""
        return ImageReference(image.publisher, image.offer, image.sku, f"1.0.{len(region)}")

    def provision(self, request: MachineRequest, ledger: Ledger, progress: Progress) -> Machine:  # noqa: ARG002  (the protocol's)
        """What the script says, with the intent in the ledger before it."""
        place = Placement(request.region, request.zone, request.size, request.spot)
        assert self.machine in {None, place}, "a second machine was asked for"
        self.asked.append(place)
        self.requests.append(request)
        ledger.intend_create(_MACHINE)
        answers = self.script[place]
        answer = answers.pop(0) if answers else CapacityError("no room", hint="wait", code="AllocationFailed")
        if answer is not None:
            raise answer
        self.machine = place
        ledger.created(_MACHINE)
        return self._described(place)

    def find_machine(self, run_id: str) -> Machine | None:  # noqa: ARG002  (the protocol's)
        """The machine, if one stands."""
        return self._described(self.machine) if self.machine else None

    def vacate(self, run_id: str, keep: Placement | None, ledger: Ledger, progress: Progress) -> None:  # noqa: ARG002  (the protocol's)
        """Take the machine away unless it is at `keep`; what never stood is proven gone, too."""
        if self.vacate_error is not None:
            raise self.vacate_error
        self.vacated.append(keep)
        if self.machine != keep:
            self.machine = None
        if self.machine is None:
            ledger.gone(DeletionProof(_MACHINE, datetime.now(UTC)))

    def survey(self, request: SurveyRequest, progress: Progress) -> Survey:  # noqa: ARG002  (the protocol's)
        """As scripted."""
        if isinstance(self.survey_answer, ProvisioningError):
            raise self.survey_answer
        return self.survey_answer

    def close(self) -> None:
        """Nothing to do."""

    @staticmethod
    def _described(place: Placement) -> Machine:
        return Machine("/vm", "127.0.0.1", 2222, "llama", place.region, place.zone, PowerState.RUNNING)
