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
    Place,
    Placement,
    PowerState,
    ResourceKind,
    ResourceRef,
    Workspace,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        disk: Where the workspace disk is; made with the first machine.
        moving_to: Where a move that was not ended goes.
        moves: Where the disk was brought, in order.
        move_script: What the next moves to each place raise, first to last; None brings it there.
        probed: Every place where a machine was only tried; one is there if the next try there gets it.
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
        self.disk: Place | None = None
        self.moving_to: Place | None = None
        self.moves: list[Place] = []
        self.move_script: defaultdict[Place, list[BaseException | None]] = defaultdict(list)
        self.probed: list[Placement] = []
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
        here = Place(place.region, place.zone)
        assert not request.keeps_disk or self.disk == here, "a machine was asked for where its disk is not"
        self.asked.append(place)
        self.requests.append(request)
        ledger.intend_create(_MACHINE)
        answers = self.script[place]
        answer = answers.pop(0) if answers else CapacityError("no room", hint="wait", code="AllocationFailed")
        if answer is not None:
            raise answer
        self.machine, self.disk = place, here
        ledger.created(_MACHINE)
        return self._described(place)

    def find_machine(self, run_id: str, *, node: int = 0) -> Machine | None:  # noqa: ARG002  (the protocol's)
        """The machine, if one stands."""
        return self._described(self.machine) if self.machine else None

    def vacate(
        self,
        run_id: str,  # noqa: ARG002  (the protocol's)
        keep: Placement | None,
        ledger: Ledger,
        progress: Progress,  # noqa: ARG002  (as above)
        *,
        keep_disk: bool = False,
        nodes: int = 1,  # noqa: ARG002  (as above)
    ) -> None:
        """Take the machine away unless it is at `keep`; what never stood is proven gone, too."""
        if self.vacate_error is not None:
            raise self.vacate_error
        self.vacated.append(keep)
        if self.machine != keep:
            self.machine = None
        if not keep_disk and (keep is None or self.disk != Place(keep.region, keep.zone)):
            self.disk = None
        if keep is None or self.moving_to != Place(keep.region, keep.zone):
            self.moving_to = None
        if self.machine is None:
            ledger.gone(DeletionProof(_MACHINE, datetime.now(UTC)))

    def find_workspace(self, run_id: str) -> Workspace | None:  # noqa: ARG002  (the protocol's)
        """The disk, where it is."""
        return None if self.disk is None else Workspace("disk", self.disk, 8, self.moving_to)

    def probe(self, request: MachineRequest, ledger: Ledger, progress: Progress) -> None:  # noqa: ARG002  (the protocol's)
        """What the next try there would give, without taking it away."""
        place = Placement(request.region, request.zone, request.size, request.spot)
        self.probed.append(place)
        ledger.intend_create(_MACHINE)
        answers = self.script[place]
        if answers and answers[0] is None:
            ledger.gone(DeletionProof(_MACHINE, datetime.now(UTC)))
            return
        raise (answers.pop(0) if answers else None) or CapacityError("no room", hint="wait", code="AllocationFailed")

    def move_disk(
        self,
        run_id: str,
        to: Placement,
        tags: Mapping[str, str],  # noqa: ARG002  (the protocol's)
        ledger: Ledger,  # noqa: ARG002  (as above)
        progress: Progress,  # noqa: ARG002  (as above)
    ) -> Workspace:
        """Bring the disk there, or raise what the script says; a move that was cut off is under way."""
        assert self.machine is None, "the disk is in use"
        place = Place(to.region, to.zone)
        answers = self.move_script[place]
        answer = answers.pop(0) if answers else None
        if answer is not None:
            if not isinstance(answer, ProvisioningError):
                self.moving_to = place
            raise answer
        self.moves.append(place)
        self.disk, self.moving_to = place, None
        found = self.find_workspace(run_id)
        assert found is not None
        return found

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
