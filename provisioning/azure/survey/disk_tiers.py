"""What a managed disk is billed as: a tier, rounded up, or each GiB; and the name of its meter in the price feed.

Source: Microsoft's page on managed disk types (MicrosoftDocs/azure-compute-docs, disks-types.md, 2026-08) for the sizes
of the tiers; meter names as the Retail Prices API spells them.
"""

from __future__ import annotations

HOURS_PER_MONTH = 730.0
# The number of a tier stands for the same size in every family: P30 and E30 hold 1,024 GiB.
_TIERS = {
    1: 4,
    2: 8,
    3: 16,
    4: 32,
    6: 64,
    10: 128,
    15: 256,
    20: 512,
    30: 1024,
    40: 2048,
    50: 4096,
    60: 8192,
    70: 16384,
    80: 32767,
}
_FAMILIES = {"Premium_LRS": "P", "StandardSSD_LRS": "E", "Standard_LRS": "S"}
PREMIUM_V2 = "PremiumV2_LRS"
# Capacity only: the IOPS and the MB/s that come with it (3,000 and 125) cost nothing more.
PREMIUM_V2_METER = "Premium LRS Provisioned Capacity"
# The smallest tier that a system disk of ours fits in, and its size; its price stands for all of them.
SYSTEM_DISK_METER, SYSTEM_DISK_GIB = "P10 LRS Disk", 128


def disk_meter(disk_type: str, gib: int) -> str:
    """The meter of a disk, for example `P30 LRS Disk`; empty for a type or size that we do not know."""
    if disk_type == PREMIUM_V2:
        return PREMIUM_V2_METER
    family = _FAMILIES.get(disk_type, "")
    tier = next((number for number, most_gib in _TIERS.items() if gib <= most_gib), 0)
    return f"{family}{tier} LRS Disk" if family and tier else ""
