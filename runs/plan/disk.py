"""The workspace disk: what must fit, which disk that is, and how long a save takes on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

GIB = 1 << 30

# A training environment (measured: CPU 1.5 GB; CUDA about 6 GB of wheels plus the libraries that they unpack).
CPU_ENVIRONMENT_BYTES, GPU_ENVIRONMENT_BYTES = 2_000_000_000, 12_000_000_000
# Data on the Hub whose size nothing tells; instruction data sets are far smaller.
UNKNOWN_DATA_BYTES = 1_000_000_000
# ext4 gets slow and fragmented when nearly full, and logs grow.
HEADROOM_SHARE, LEAST_HEADROOM_BYTES = 0.10, 1_000_000_000

# From this many parameters on, the workspace is at least 1 TiB: below it, a premium disk's speed is what hurts.
LARGE_MODEL_PARAMETERS, LARGE_MODEL_GIB = 6_000_000_000, 1024

# Premium SSD tiers, GiB and MB/s (Microsoft's premium disk pages; 16 TiB and above do not help one machine more).
_PREMIUM_TIERS = (
    ("P2", 8, 25), ("P3", 16, 25), ("P4", 32, 25), ("P6", 64, 50), ("P10", 128, 100), ("P15", 256, 125),
    ("P20", 512, 150), ("P30", 1024, 200), ("P40", 2048, 250), ("P50", 4096, 250), ("P60", 8192, 500),
    ("P70", 16384, 750), ("P80", 32767, 900),
)  # fmt: skip
# Standard SSD: the least of what the tiers up to 4 TiB promise. Premium SSD v2: what costs nothing extra.
_FLAT_MB_PER_SECOND = {"StandardSSD_LRS": 60, "PremiumV2_LRS": 125}


@dataclass(frozen=True, slots=True)
class DiskNeed:
    """What must fit on the workspace disk, in bytes.

    Attributes:
        weights: The base model.
        checkpoint: One complete checkpoint.
        checkpoints: How many there can be at once: those kept and the one being written.
        final: The finished model.
        data: Data set and further synced files.
        environment: The training environment.
    """

    weights: int
    checkpoint: int
    checkpoints: int
    final: int
    data: int
    environment: int

    @property
    def headroom(self) -> int:
        """Bytes left free on purpose."""
        return max(LEAST_HEADROOM_BYTES, round(self._occupied * HEADROOM_SHARE))

    @property
    def total(self) -> int:
        """Everything, with the headroom."""
        return self._occupied + self.headroom

    @property
    def _occupied(self) -> int:
        return self.weights + self.checkpoint * self.checkpoints + self.final + self.data + self.environment


@dataclass(frozen=True, slots=True)
class DiskChoice:
    """The disk that a run gets.

    Attributes:
        gib: Its size in GiB.
        disk_type: Its type, for example `Premium_LRS`.
        tier: What Azure calls its size class; empty where there is none.
        mb_per_second: What it moves, no more than the machine does.
    """

    gib: int
    disk_type: str
    tier: str
    mb_per_second: int


def choose_disk(
    need: DiskNeed, disk_type: str, *, wanted_gib: int | None, machine_mb_per_second: int, parameters: int
) -> DiskChoice:
    """Choose the disk: the wanted size, or the smallest that fits (whole tiers, since those are what is billed)."""
    least = LARGE_MODEL_GIB if parameters >= LARGE_MODEL_PARAMETERS else 8
    gib = wanted_gib or max(least, math.ceil(need.total / GIB))
    tier, speed = "", _FLAT_MB_PER_SECOND.get(disk_type, 0)
    if disk_type == "Premium_LRS":
        tier, tier_gib, speed = next((one for one in _PREMIUM_TIERS if one[1] >= gib), _PREMIUM_TIERS[-1])
        gib = wanted_gib or tier_gib
    return DiskChoice(gib, disk_type, tier, min(speed, machine_mb_per_second))


def faster_tiers(mb_per_second: int, need_bytes: int) -> list[tuple[str, int, int]]:
    """Give the Premium SSD tiers that are faster and large enough, the smallest of each speed: name, GiB, MB/s."""
    found: dict[int, tuple[str, int, int]] = {}
    for name, gib, speed in _PREMIUM_TIERS:
        if speed > mb_per_second and gib * GIB >= need_bytes:
            found.setdefault(speed, (name, gib, speed))
    return list(found.values())


def flat_speed(disk_type: str) -> int:
    """Give the MB/s of a disk type without tiers, as far as they cost nothing extra."""
    return _FLAT_MB_PER_SECOND[disk_type]
