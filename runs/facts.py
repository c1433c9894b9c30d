"""What each stage leaves behind for the next ones, and for `resume` after a kill.

Each fact is a flat frozen dataclass of JSON values; the journal stores the newest of each kind under its class name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Decided:
    """Everything that was chosen once, so that a resumed run asks the cloud for the very same machine.

    Attributes:
        subscription_id: Who pays.
        region: Azure region.
        zone: Availability zone, or None.
        image: `publisher:offer:sku:version` with the version pinned.
        caller_address: CIDR that may reach port 22.
        workspace_gib: Size of the durable disk in GiB.
        size: VM size.
        spot: Whether it is a spot machine.
        machine_dollars_per_hour: The machine's price as Azure has it, on the rehearsal cloud too.
        disk_dollars_per_hour: The workspace disk's; goes on while the machine is deallocated.
        address_dollars_per_hour: The public address's.
        price_basis: Where the prices come from, for example `Retail Prices API, 2026-11-25 15:04 UTC`.
        dollars_per_hour: What all of it, on all machines, really costs; 0 on the rehearsal cloud.
        dollars_cap: The dead-man switch's limit.
        deadline_at: Seconds since the epoch at which the dead-man switch fires.
        save_seconds: What one checkpoint should take on this disk.
        evictions_per_hour: How often a machine there is lost; 0 for never, None when not known.
    """

    subscription_id: str
    region: str
    zone: str | None
    image: str
    caller_address: str
    workspace_gib: int
    size: str
    spot: bool
    machine_dollars_per_hour: float
    disk_dollars_per_hour: float
    address_dollars_per_hour: float
    price_basis: str
    dollars_per_hour: float
    dollars_cap: float
    deadline_at: float
    save_seconds: float
    evictions_per_hour: float | None = None


@dataclass(frozen=True, slots=True)
class Trust:
    """The host keys that this run accepts (OpenSSH public key lines).

    Attributes:
        one_time: From customData; empty once the machine's own key is pinned.
        own: The key that the machine made itself; pinned before the machine starts to use it.
    """

    one_time: str
    own: str = ""

    def accepted(self) -> tuple[str, ...]:
        """Every key that may be shown now."""
        return tuple(key for key in (self.own, self.one_time) if key)


@dataclass(frozen=True, slots=True)
class Rented:
    """The machine and where to knock; of several, `private_address` is where the others reach it."""

    vm_id: str
    address: str
    ssh_port: int
    username: str
    region: str
    zone: str | None
    private_address: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The machine is set up: where its workspace is and which Python trains.

    Attributes:
        workspace: Its workspace folder.
        python: The training environment's Python.
        host_key: The machine that was set up, by its own host key: another one with the same disk has to be, too. Empty
            where it is not known, and then believed.
    """

    workspace: str
    python: str
    host_key: str = ""


@dataclass(frozen=True, slots=True)
class Synced:
    """Everything that training reads is on the machine, verified.

    Attributes:
        model: The base model.
        data: The run's data.
        bytes_sent: What was sent from here.
        stage_data: The data of each stage that has its own, by the stage's name.
        questions: What the finished model is asked; empty for nothing.
        task_folder: Tasks of the user's own; empty for none.
    """

    model: str
    data: str
    bytes_sent: int
    stage_data: dict[str, str] = field(default_factory=dict)
    questions: str = ""
    task_folder: str = ""


@dataclass(frozen=True, slots=True)
class Submitted:
    """The job was handed to the agent, which starts it exactly once.

    Attributes:
        at: When it was first handed over, in seconds since the epoch.
        number: How often it was: once, and once more for each `resume` after it had failed or been stopped.
        first_address: Where it was told that several machines meet; another first machine has another address.
    """

    at: float
    number: int = 1
    first_address: str = ""


@dataclass(frozen=True, slots=True)
class Trained:
    """The agent saw both done-markers: trained, and the final model loaded back."""

    steps: int
    loss: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Collected:
    """Everything promised is at its destinations, and every byte was checked there.

    Attributes:
        target: Where the model is: the folder here, or its place in blob storage when none comes here.
        files: The model's files.
        size_bytes: Their size.
        manifest_sha256: The model's name, so to speak.
        blob: Where it is in blob storage; empty without.
        beside: The folder here with what else came; empty without.
        home_bytes: What has left the cloud; None: the model alone.
    """

    target: str
    files: int
    size_bytes: int
    manifest_sha256: str
    blob: str = ""
    beside: str = ""
    home_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class CollectedMore:
    """What came home beside the model: other stages' models, answers and scores.

    Attributes:
        sha256: SHA-256 of the manifest of each, by the folder that it is in.
    """

    sha256: dict[str, str]


@dataclass(frozen=True, slots=True)
class Leaving:
    """Teardown was decided on: from now on the run may only be torn down, never rented again."""

    at: float


@dataclass(frozen=True, slots=True)
class Searching:
    """A machine is being looked for.

    Attributes:
        until: How long to go on trying, in seconds since the epoch; None for one walk through all places.
        walk_after: Number of the newest try when the walk that goes on began; None between two walks.
        move: How far the run's disk may go (`never`, `zone`, `region`); empty as the run file says.
    """

    until: float | None = None
    walk_after: int | None = None
    move: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """What the run's disk has been sent from region to region; counted before each copy begins.

    Attributes:
        gb: All of it, at most, in GB.
        dollars: What Azure takes for that.
    """

    gb: float = 0.0
    dollars: float = 0.0


@dataclass(frozen=True, slots=True)
class Undeleted:
    """What the last teardown could not delete.

    Attributes:
        at: When it gave up, in seconds since the epoch.
        reasons: Why, as far as the cloud said so, by resource id in lower case.
    """

    at: float
    reasons: dict[str, str]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the plan said when the run began; None for what it could not tell.

    Attributes:
        dollars: For the whole run.
        hours: For the whole run.
    """

    dollars: float | None
    hours: float | None


@dataclass(frozen=True, slots=True)
class Extension:
    """Limits that the user raised, and who has heard of it: the journal first, then the cloud, then the machine.

    Attributes:
        hours: What was asked for, in hours more.
        dollars: What was asked for, in dollars more.
        deadline_at: The new deadline, in seconds since the epoch.
        dollars_cap: The new cap.
        cloud_knows: Tags and auto-shutdown are as they should be.
        machine_knows: The agent holds the new limits.
    """

    hours: float
    dollars: float
    deadline_at: float
    dollars_cap: float
    cloud_knows: bool = False
    machine_knows: bool = False

    @property
    def is_done(self) -> bool:
        """Everybody has heard of it."""
        return self.cloud_knows and self.machine_knows


@dataclass(frozen=True, slots=True)
class Pausing:
    """The user paused the run: its job is stopped at a checkpoint, its machine deallocated, its disk kept.

    Attributes:
        at: When it was asked for, in seconds since the epoch.
        is_done: The machine is deallocated.
        deadline_at: The deadline once the run goes on, later by the pause; None until then.
    """

    at: float
    is_done: bool = False
    deadline_at: float | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """Whose journal this is, for a run that two computers know.

    Attributes:
        id: Twelve characters of chance.
    """

    id: str


@dataclass(frozen=True, slots=True)
class Unread:
    """The run was adopted, but what it left on its disk was not read: a model may be there.

    Attributes:
        has_machine: There is a machine that could be asked.
    """

    has_machine: bool


@dataclass(frozen=True, slots=True)
class Evictions:
    """Each time that the cloud took the machine away.

    Attributes:
        rows: `runs.evictions.Eviction` as plain values, oldest first.
    """

    rows: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Staged:
    """The disk is filled from a small machine before the run's own is rented.

    Attributes:
        at: When that began, in seconds since the epoch.
        phase: `begun`, `filled` (the small machine is of no use any more) or `over` (it is gone).
        size: The small machine.
        region: Where it is.
        zone: Its zone, or None.
        workspace_gib: Size of the disk in GiB, as the run's own machine wants it.
    """

    at: float
    phase: str
    size: str
    region: str
    zone: str | None
    workspace_gib: int


@dataclass(frozen=True, slots=True)
class Notified:
    """What the user was told of, so that it is told once.

    Attributes:
        budget_level: The highest level of the dollar cap, in per cent.
    """

    budget_level: int = 0
