"""The words of this layer: what is asked of a cloud, what it made, and the proof that it is gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from provisioning.adoption_types import RunInCloud
    from provisioning.owned_types import OwnedRun
    from provisioning.survey_types import Survey, SurveyRequest


class ResourceKind(StrEnum):
    """Everything that a run may own in the cloud; the value is the word that the user reads."""

    RESOURCE_GROUP = "resource group"
    NETWORK_SECURITY_GROUP = "network security group"
    VIRTUAL_NETWORK = "virtual network"
    PUBLIC_IP = "public IP"
    NETWORK_INTERFACE = "network interface"
    DISK = "disk"
    VIRTUAL_MACHINE = "virtual machine"
    ROLE_ASSIGNMENT = "role assignment"
    SHUTDOWN_SCHEDULE = "shutdown schedule"
    OTHER = "other resource"
    SNAPSHOT = "snapshot"
    AVAILABILITY_SET = "availability set"


class PowerState(StrEnum):
    """A machine's power state; only `deallocated` and `absent` stop the compute bill."""

    ABSENT = "absent"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DEALLOCATING = "deallocating"
    DEALLOCATED = "deallocated"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ImageReference:
    """A marketplace image, as `publisher:offer:sku:version`."""

    publisher: str
    offer: str
    sku: str
    version: str = "latest"

    def __str__(self) -> str:
        return f"{self.publisher}:{self.offer}:{self.sku}:{self.version}"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and as what a machine is asked for.

    Attributes:
        region: Azure region.
        zone: Availability zone (`"1"`), or None for a regional machine.
        size: VM size.
        spot: At the spot price, evicted when the cloud wants it back.
    """

    region: str
    zone: str | None
    size: str
    spot: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a disk stands: a region, and a zone or None."""

    region: str
    zone: str | None


@dataclass(frozen=True, slots=True)
class Workspace:
    """A run's durable disk as the cloud sees it.

    Attributes:
        name: Its name.
        place: Where it stands.
        gib: Its size in GiB.
        moving_to: Where it is being brought by a move that was begun and not finished; None without one.
    """

    name: str
    place: Place
    gib: int
    moving_to: Place | None = None


@dataclass(frozen=True, slots=True)
class MachineRequest:
    """One machine with everything that it needs around it.

    Attributes:
        run_id: The run that owns it; every name is derived from it.
        region: Azure region, for example `eastus`.
        zone: Availability zone (`"1"`), or None for a regional machine.
        size: VM size, for example `Standard_NC96ads_A100_v4`.
        spot: Ask for a spot machine (evicted to deallocated).
        max_price_usd_per_hour: Spot price cap; None pays up to the on-demand price.
        image: Image with a resolved version.
        os_disk_gib: OS disk size in GiB.
        workspace_gib: Durable workspace disk size in GiB.
        workspace_disk_type: Disk type, for example `Premium_LRS`.
        admin_username: The Linux user that owns the workspace.
        ssh_public_key: One OpenSSH public key line.
        custom_data: Rendered cloud-init, not base64, at most 65,535 bytes.
        caller_address: The only address that may reach port 22, in CIDR form.
        tags: Tags put on every resource that can carry them.
        shutdown_at: When the auto-shutdown schedule deallocates the machine (UTC; daily, so within 24 h); None sets no
            schedule.
        group_tags: Tags for the resource group alone, such as change during its life.
        keeps_disk: The workspace disk holds something: it must be there, and no new one is made.
        others_custom_data: For each further machine of the run what `custom_data` is for the first. They are like it,
            each with an address, an interface and a workspace disk of its own, in one network and one placement group.
    """

    run_id: str
    region: str
    zone: str | None
    size: str
    spot: bool
    max_price_usd_per_hour: float | None
    image: ImageReference
    os_disk_gib: int
    workspace_gib: int
    workspace_disk_type: str
    admin_username: str
    ssh_public_key: str
    custom_data: bytes = field(repr=False)
    caller_address: str
    tags: Mapping[str, str]
    shutdown_at: datetime | None = None
    group_tags: Mapping[str, str] = field(default_factory=dict)
    keeps_disk: bool = False
    others_custom_data: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def nodes(self) -> int:
        """How many machines it asks for."""
        return 1 + len(self.others_custom_data)


@dataclass(frozen=True, slots=True)
class Renewal:
    """A run's new end.

    Attributes:
        region: Where its machine is.
        tags: Tags of the resource group to set; its other tags stay.
        shutdown_at: When the auto-shutdown deallocates the machine (UTC; daily, so within 24 h); None takes the
            schedule away.
        nodes: How many machines the run has.
    """

    region: str
    tags: Mapping[str, str]
    shutdown_at: datetime | None
    nodes: int = 1


@dataclass(frozen=True, slots=True)
class ResourceRef:
    """One cloud resource by its full ARM id."""

    kind: ResourceKind
    name: str
    resource_id: str


@dataclass(frozen=True, slots=True)
class PlannedResource:
    """One line of what `plan` says will be created."""

    kind: ResourceKind
    name: str
    detail: str


@dataclass(frozen=True, slots=True)
class Account:
    """Who pays: the subscription that the credential can use."""

    subscription_id: str
    display_name: str


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that exists and where to knock.

    Attributes:
        vm_id: Full ARM id.
        address: Public address.
        ssh_port: 22 on Azure; rehearsal machines have another one.
        username: The Linux user to sign in as.
        region: Where it is.
        zone: Its zone, or None.
        power: Its power state when it was looked at.
        private_address: Where the run's other machines reach it; empty where there are none, or nobody asked.
        others: The run's further machines, in order.
    """

    vm_id: str
    address: str
    ssh_port: int
    username: str
    region: str
    zone: str | None
    power: PowerState
    private_address: str = ""
    others: tuple[Machine, ...] = ()


@dataclass(frozen=True, slots=True)
class MachinePower:
    """A machine's power state, and since when the cloud says that it is so (None when it does not say)."""

    power: PowerState
    since: datetime | None


@dataclass(frozen=True, slots=True)
class DeletionProof:
    """A resource for which the cloud answered 404 (not found) after deletion."""

    ref: ResourceRef
    confirmed_gone_at: datetime


class Ledger(Protocol):
    """Where the intent of every external effect is written down before it happens. Implementations are thread-safe."""

    def intend_create(self, ref: ResourceRef) -> None:
        """Record that `ref` is about to be created. Durable when this returns."""
        ...

    def created(self, ref: ResourceRef) -> None:
        """Record that the cloud confirmed `ref`."""
        ...

    def intend_delete(self, ref: ResourceRef) -> None:
        """Record that `ref` is about to be deleted. Durable when this returns."""
        ...

    def gone(self, proof: DeletionProof) -> None:
        """Record the 404 for a resource."""
        ...


class Progress(Protocol):
    """What is being waited for, in the user's words."""

    def __call__(self, message: str, /) -> None:
        """Show `message`; called from any thread."""
        ...


class Cloud(Protocol):
    """The one narrow door to a cloud. Every method raises only `provisioning.errors.ProvisioningError`s."""

    @property
    def name(self) -> str:
        """`azure` or `rehearsal`."""
        ...

    def account(self) -> Account:
        """Sign in and return the subscription in use."""
        ...

    def caller_address(self) -> str:
        """The address (CIDR, one host) from which the cloud will see this computer."""
        ...

    def resolve_image(self, region: str, image: ImageReference) -> ImageReference:
        """Replace `latest` by the exact newest version on offer in `region`."""
        ...

    def planned(self, request: MachineRequest) -> Sequence[PlannedResource]:
        """What `provision` would create, in order of creation. No network."""
        ...

    def provision(self, request: MachineRequest, ledger: Ledger, progress: Progress) -> Machine:
        """Create whatever of `request` does not exist yet; idempotent, so it also finishes an interrupted one."""
        ...

    def find_machine(self, run_id: str, *, node: int = 0) -> Machine | None:
        """The run's machine as the cloud sees it now, or None; of several the one with this number, from 0."""
        ...

    def deallocate(self, run_id: str, progress: Progress, *, nodes: int = 1) -> None:
        """Stop the compute bill of the run's machines; their disks stay, and `provision` starts them again.

        No machine is no error.
        """
        ...

    def remaining(self, run_id: str) -> Sequence[ResourceRef]:
        """Every resource that still exists for the run, found by group and by tag."""
        ...

    def destroy(
        self, run_id: str, refs: Sequence[ResourceRef], ledger: Ledger, progress: Progress
    ) -> Sequence[DeletionProof]:
        """Delete the run's group, then prove a 404 for every one of `refs` and everything else that was in the group.

        Raises:
            LeftoversError: Something is still there when the deadline is over; it names what.
        """
        ...

    def survey(self, request: SurveyRequest, progress: Progress) -> Survey:
        """Ask the cloud what a run would meet: sizes, limits, rights, image, prices. Creates nothing.

        All questions go out side by side, each with 20 seconds, so the whole takes seconds. A question that fails
        stands in `unanswered` and does not spoil the others. `request.topics` narrows it: with
        `survey_types.HEADROOM` it is two calls per region, cheap enough to ask again before each attempt.

        Raises:
            SignInError: No usable credential.
            SubscriptionError: The subscription cannot be used.
        """
        ...

    def vacate(
        self,
        run_id: str,
        keep: Placement | None,
        ledger: Ledger,
        progress: Progress,
        *,
        keep_disk: bool = False,
        nodes: int = 1,
    ) -> None:
        """Delete what could not serve the run's machines at `keep`, with a 404 for each; None keeps only the group.

        The workspace disk goes, too, when it is elsewhere: only for a run without anything on it. With `keep_disk` it
        stays wherever it is, and what a move to another place than `keep` has made until now is taken back.
        """
        ...

    def power(self, run_id: str, *, node: int = 0) -> MachinePower | None:
        """The power state of the run's machine and since when, or None when there is none. One read."""
        ...

    def renew(self, run_id: str, renewal: Renewal, ledger: Ledger, progress: Progress) -> None:
        """Give a run that exists another end: its tags, and its auto-shutdown. Idempotent; no group is no error."""
        ...

    def owned(self, *, confirm: bool = True) -> Sequence[OwnedRun]:
        """Everything of ours in the subscription, run by run, whichever computer made it; changes nothing.

        With `confirm`, each find is read, and nothing young is missed; without, up to 1,000 runs take one call.
        """
        ...

    def describe(self, run_id: str) -> RunInCloud | None:
        """Everything that the cloud shows of a run, or None when it has no group. Only reads.

        Raises:
            RequestRefusedError: The group of the run's name is not the run's.
        """
        ...

    def start(self, run_id: str, progress: Progress) -> None:
        """Start the run's machine after it was deallocated; the compute bill begins again."""
        ...

    def run_script(self, run_id: str, script: str, progress: Progress) -> str:
        """Run a POSIX shell script as root on the run's running machine, without its network.

        Gives the last 4,096 bytes of what it printed on standard output, whether it failed or not.
        """
        ...

    def admit(self, run_id: str, caller_address: str, progress: Progress, *, exactly: bool = False) -> str:
        """Let `caller_address` (CIDR) reach port 22 instead of whoever may now; gives who may afterwards.

        A network that it is in already stays as it is, unless nobody else is to come in (`exactly`).
        """
        ...

    def read_mark(self, run_id: str, name: str) -> str | None:
        """A tag of the run's group: empty when it has none of that name, None when there is no group."""
        ...

    def write_mark(self, run_id: str, name: str, value: str) -> None:
        """Give a tag of the run's group a value (at most 256 characters). No group, or one that goes, is no error."""
        ...

    def find_workspace(self, run_id: str) -> Workspace | None:
        """The run's workspace disk, wherever it stands now, or None. A few reads."""
        ...

    def move_disk(
        self, run_id: str, to: Placement, tags: Mapping[str, str], ledger: Ledger, progress: Progress
    ) -> Workspace:
        """Bring the workspace disk with all that is on it to the place of `to`, by snapshot; no machine may hold it.

        Idempotent, so it also finishes an interrupted move. The old disk is deleted when the new one is whole.

        Args:
            run_id: The run.
            to: Where to; a place in another region takes a copy of the snapshot there, minutes to hours.
            tags: Tags of the new disk.
            ledger: Where every effect is written down.
            progress: Told what is waited for.

        Raises:
            MoveFailedError: The disk cannot be brought there; it is where it was.
        """
        ...

    def probe(self, request: MachineRequest, ledger: Ledger, progress: Progress) -> None:
        """Find out whether a machine can be had: rent it with a small empty disk, and give it back at once.

        Raises:
            CapacityError: There is none; like `provision`. What was made stays until `vacate`.
        """
        ...

    def close(self) -> None:
        """Let go of it; the rehearsal cloud ends its own processes here when nothing is left in it."""
        ...
