"""What saving to a machine's own disks first takes: the wait of the training, and the way to the workspace. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runs.plan.sizes import find_size
from templates.training.scratch import LEAST_CHECKPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runs.plan.sizes import VmSize
    from runs.spec.run_file import RunFile

# An estimate: what data-centre NVMe writes at the least. Microsoft gives 2,000 MB/s for the 1.92 TB of a
# Standard_L8s_v3, and nothing for the GPU sizes; the trainer measures its saves and goes by that.
_BYTES_PER_SECOND_PER_GB = 1e6

_MIRROR_SECRETS = {"AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_SAS_TOKEN"}


def has_scratch(spec: RunFile, size: str) -> bool:
    """Whether a machine of a size, by its name, has disks of its own that the run file lets saves go to."""
    known = find_size(size)
    return spec.storage.scratch == "auto" and known is not None and known.local_nvme_gb > 0


def scratch_save_seconds(spec: RunFile, size: VmSize, checkpoint_bytes: int) -> float | None:
    """Give how long the training waits for a save on scratch; None where saves go straight to the workspace.

    Args:
        spec: The run file, which may refuse scratch.
        size: The machine.
        checkpoint_bytes: One checkpoint; scratch that cannot hold one while the next is written is not used.
    """
    if not has_scratch(spec, size.name) or size.local_nvme_gb * 1e9 < LEAST_CHECKPOINTS * checkpoint_bytes:
        return None
    return checkpoint_bytes / (size.local_nvme_gb * _BYTES_PER_SECOND_PER_GB)


def mirror_notes(spec: RunFile) -> Iterator[str]:
    """Yield what is worth knowing of a copy in blob storage before the money flows."""
    mirror = spec.checkpoints.mirror
    if mirror is None:
        return
    yield f"the storage account is yours: what is copied to it stays, and costs, after `llamalift down`: {mirror}"
    if not _MIRROR_SECRETS & set(spec.secrets):
        yield (
            "the machine signs in to the mirror by its identity, which needs the role Storage Blob Data "
            f"Contributor there; or name one of these in secrets: {', '.join(sorted(_MIRROR_SECRETS))}"
        )
