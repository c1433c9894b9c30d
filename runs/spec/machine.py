"""Section `machine`: what to rent."""

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import InitErrorDetails

from runs.spec import patterns
from runs.spec.section import Auto, Section, broken_rule, refuse

# Names that Azure refuses as adminUsername (documentation of the SDK's OSProfile), and those that Ubuntu already has.
_TAKEN_USERNAMES = frozenset(
    [
        "admin",
        "administrator",
        "actuser",
        "adm",
        "admin1",
        "admin2",
        "aspnet",
        "backup",
        "console",
        "daemon",
        "david",
        "guest",
        "john",
        "owner",
        "root",
        "server",
        "sql",
        "support",
        "support_388945a0",
        "sys",
        "test",
        "test1",
        "test2",
        "test3",
        "user",
        "user1",
        "user2",
        "user3",
        "user4",
        "user5",
        "nobody",
        "sshd",
        "syslog",
    ]
)
# Further users and groups of Ubuntu and of the HPC image: useradd makes a group of the user's name, and fails on these.
_TAKEN_GROUPS = frozenset(
    [
        "audio",
        "bin",
        "cdrom",
        "dialout",
        "dip",
        "disk",
        "docker",
        "fax",
        "floppy",
        "games",
        "input",
        "irc",
        "kmem",
        "kvm",
        "landscape",
        "list",
        "lp",
        "lxd",
        "mail",
        "man",
        "messagebus",
        "netdev",
        "news",
        "operator",
        "plugdev",
        "pollinate",
        "proxy",
        "render",
        "sasl",
        "sgx",
        "shadow",
        "src",
        "ssh",
        "staff",
        "sudo",
        "tape",
        "tcpdump",
        "tss",
        "tty",
        "ubuntu",
        "users",
        "utmp",
        "uucp",
        "uuidd",
        "video",
        "voice",
        "www-data",
    ]
)
_WIDEST_NETWORK = {4: 16, 6: 48}


def _checked_username(name: str) -> str:
    if name in _TAKEN_USERNAMES | _TAKEN_GROUPS:
        raise ValueError(f"a name that Azure refuses or Ubuntu already has: {name}")
    return name


def _checked_network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"expected auto, an address or a network such as 203.0.113.0/24, found: {text}") from None
    widest = _WIDEST_NETWORK[network.version]
    if network.prefixlen < widest:
        raise ValueError(f"SSH would be open to too many; the widest network is a /{widest}, found: {text}")
    return text


Region = Annotated[str, Field(pattern=patterns.REGION)]


class Machine(Section):
    """What to rent."""

    size: str = Field(
        default="Standard_NC96ads_A100_v4",
        pattern=patterns.SIZE_OR_AUTO,
        description="VM size, as Azure names it (the default has 4 A100 of 80 GB). auto: the cheapest that does.",
    )
    gpus: Annotated[str, Field(pattern=patterns.GPUS)] | None = Field(
        default=None, description="A wish instead of a size, such as 4xA100-80GB; null: size says it."
    )
    other_sizes: tuple[Annotated[str, Field(pattern=patterns.SIZE)], ...] = Field(
        default=(),
        max_length=10,
        description="VM sizes to take when the first cannot be had, the first choice first.",
    )
    regions: tuple[Region, ...] = Field(
        default=("eastus", "westus3", "southcentralus"),
        min_length=1,
        max_length=20,
        description="Azure regions to try, the first choice first.",
    )
    zones: tuple[Literal[1, 2, 3], ...] = Field(
        default=(),
        max_length=3,
        description="Availability zones to try, the first choice first, and then no zone; empty: no zone.",
    )
    spot: bool = Field(
        default=False,
        description="Rent at the spot price: much cheaper, and the cloud may take the machine back at any time.",
    )
    max_price: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="Most dollars an hour for a spot machine; null: up to the on-demand price.",
    )
    image: str = Field(
        default="microsoft-dsvm:ubuntu-hpc:2404:latest",
        pattern=patterns.IMAGE,
        description="Image, as publisher:offer:sku:version. latest is resolved once and pinned in the run.",
    )
    os_disk_gib: int = Field(default=128, ge=64, le=4095, description="Size of the system disk in GiB.")
    nodes: int = Field(
        default=1, ge=1, le=64, description="Number of machines that train together, all of one size in one region."
    )
    processes: Auto | Annotated[int, Field(ge=1, le=64)] = Field(
        default="auto",
        description="Training processes on each machine. auto: one for each GPU, or 2 on a size without a GPU.",
    )
    admin_username: Annotated[str, AfterValidator(_checked_username)] = Field(
        default="llama", pattern=patterns.USERNAME, description="The Linux user that owns the workspace."
    )
    allow_from: Auto | Annotated[str, AfterValidator(_checked_network)] = Field(
        default="auto",
        description="Who may reach SSH: an address or a network. auto: this computer's address, nobody else.",
    )
    jump: str | None = Field(
        default=None,
        pattern=patterns.JUMP,
        description="A jump host (bastion) on the way to the machine, as your own ssh takes it: [user@]host[:port].",
    )
    move: Literal["never", "zone", "region"] = Field(
        default="zone",
        description="How far a disk with data may go to a machine; a copy to another region costs money and hours.",
    )

    @model_validator(mode="after")
    def _rules(self) -> Self:
        broken = []
        if self.nodes > 1:
            broken += _not_with_several(self)
        if self.max_price is not None and not self.spot:
            broken.append(
                broken_rule(("max_price",), f"only a spot machine has one (spot: true), found: {self.max_price:g}")
            )
        for field in ("other_sizes", "regions", "zones"):
            values = getattr(self, field)
            if len(set(values)) < len(values):
                broken.append(broken_rule((field,), f"each only once, found: {', '.join(map(str, values))}"))
        if self.gpus is not None and "size" in self.model_fields_set:
            broken.append(broken_rule(("gpus",), f"size says what to rent; only one of the two, found: {self.gpus}"))
        if self.is_wish and self.other_sizes:
            found = ", ".join(self.other_sizes)
            broken.append(broken_rule(("other_sizes",), f"a wish chooses among all sizes itself, found: {found}"))
        if self.jump is not None and self.allow_from == "auto":
            broken.append(
                broken_rule(
                    ("jump",),
                    f"give machine.allow_from: the address from which it reaches the internet, found: {self.jump}",
                    self.jump,
                )
            )
        refuse("machine", broken)
        return self

    @property
    def is_wish(self) -> bool:
        """Whether the run file leaves the choice of the size to the plan."""
        return self.gpus is not None or self.size == "auto"


def _not_with_several(machine: Machine) -> list[InitErrorDetails]:
    """What a run on several machines cannot have."""
    broken = []
    if machine.spot:
        fact = "several machines are rented on demand (an eviction would stop all of them), found: true"
        broken.append(broken_rule(("spot",), fact, found=True))
    if machine.zones:
        zones = ", ".join(map(str, machine.zones))
        broken.append(broken_rule(("zones",), f"an availability set of several machines knows no zone, found: {zones}"))
    if machine.move == "region":
        broken.append(broken_rule(("move",), "the disks of several machines stay where they are, found: region"))
    return broken
