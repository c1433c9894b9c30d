"""Section `storage`: the durable workspace disk."""

from typing import Annotated, Literal

from pydantic import Field

from runs.spec import patterns
from runs.spec.section import Auto, Section

DiskType = Literal["Premium_LRS", "PremiumV2_LRS", "StandardSSD_LRS"]


class Storage(Section):
    """The durable workspace disk. It outlives the machine and goes with the run's resource group."""

    workspace_gib: Auto | Annotated[int, Field(ge=4, le=32767)] = Field(
        default="auto", description="Size in GiB. auto: what llamalift plan computes, at least 1024 for a 7B model."
    )
    disk_type: DiskType = Field(
        default="Premium_LRS",
        description="Premium_LRS (SSD), PremiumV2_LRS (needs a zone) or StandardSSD_LRS (slower).",
    )
    mount: str = Field(
        default="/workspace",
        pattern=patterns.MOUNT,
        description="Where it is mounted: /workspace, /data or /mnt/NAME.",
    )
    scratch: Literal["auto", "none"] = Field(
        default="auto",
        description="auto: checkpoints go to the machine's local NVMe first where it has any, then to the workspace.",
    )
    stage: Literal["never", "auto", "always"] = Field(
        default="never",
        description="Fill the disk from a small machine before GPUs are rented: never, always, or auto (if it saves).",
    )
