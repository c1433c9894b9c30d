"""VM sizes that are known to work for this: a frozen table.

Sources: Microsoft's size pages (MicrosoftDocs/azure-compute-docs, sizes/gpu-accelerated/*-series.md and
sizes/general-purpose/*-series.md), read 2026-11. Peak figures are NVIDIA's data sheets, dense bf16.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.errors import SpecError

if TYPE_CHECKING:
    from runs.spec.machine import Machine

# Two processes make a CPU run go through everything that several GPUs would: sharding, collectives, gathering.
CPU_PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU.

    Attributes:
        name: What it is called, with its memory.
        memory_gb: Memory in GB.
        teraflops: Peak in bf16, dense, in 10^12 operations a second.
    """

    name: str
    memory_gb: int
    teraflops: float


@dataclass(frozen=True, slots=True)
class VmSize:
    """One VM size.

    Attributes:
        name: As Azure names it.
        vcpus: Virtual CPU cores.
        memory_gib: Main memory in GiB.
        disk_mb_per_second: Most that the machine moves to and from its uncached disks.
        gpus: Number of GPUs.
        gpu: What each of them is; None without any.
        local_nvme_gb: Local NVMe in GB that is known to come as bare disks, for scratch; lost with the machine. Of the
            sizes whose temporary disk is said to be NVMe nobody tells how it comes; the machine itself looks.
    """

    name: str
    vcpus: int
    memory_gib: int
    disk_mb_per_second: int
    gpus: int = 0
    gpu: Gpu | None = None
    local_nvme_gb: int = 0

    @property
    def has_infiniband(self) -> bool:
        """Whether its machines reach each other by InfiniBand: Azure says so by an `r` among the letters of its name.

        Source: learn.microsoft.com/azure/virtual-machines/vm-naming-conventions ("r = RDMA capable").
        """
        return re.match(r"Standard_[A-Z]+\d+[a-z]*r[a-z]*_", self.name) is not None

    @property
    def words(self) -> str:
        """`4 x A100-80GB`, or `2 vCPUs` without a GPU."""
        return f"{self.gpus} x {self.gpu.name}" if self.gpu else f"{self.vcpus} vCPUs"


_A100_40, _A100_80 = Gpu("A100-40GB", 40, 312.0), Gpu("A100-80GB", 80, 312.0)
_H100_NVL, _H100_SXM = Gpu("H100-NVL-94GB", 94, 835.0), Gpu("H100-80GB", 80, 989.0)

_SIZES = (
    VmSize("Standard_NC24ads_A100_v4", 24, 220, 1000, gpus=1, gpu=_A100_80, local_nvme_gb=960),
    VmSize("Standard_NC48ads_A100_v4", 48, 440, 2000, gpus=2, gpu=_A100_80, local_nvme_gb=1920),
    VmSize("Standard_NC96ads_A100_v4", 96, 880, 4000, gpus=4, gpu=_A100_80, local_nvme_gb=3840),
    VmSize("Standard_ND96asr_v4", 96, 900, 800, gpus=8, gpu=_A100_40),
    VmSize("Standard_ND96amsr_A100_v4", 96, 1900, 800, gpus=8, gpu=_A100_80),
    VmSize("Standard_NC40ads_H100_v5", 40, 320, 3000, gpus=1, gpu=_H100_NVL),
    VmSize("Standard_NC80adis_H100_v5", 80, 640, 7000, gpus=2, gpu=_H100_NVL),
    VmSize("Standard_ND96isr_H100_v5", 96, 1900, 612, gpus=8, gpu=_H100_SXM, local_nvme_gb=28672),
    VmSize("Standard_D2s_v5", 2, 8, 85),
    VmSize("Standard_D4s_v5", 4, 16, 145),
    VmSize("Standard_D8s_v5", 8, 32, 290),
    VmSize("Standard_D16s_v5", 16, 64, 600),
    VmSize("Standard_L8s_v3", 8, 64, 290, local_nvme_gb=1920),
)
_BY_NAME = {size.name.lower(): size for size in _SIZES}


def known_sizes() -> tuple[VmSize, ...]:
    """Give every size of the table, GPU machines first."""
    return _SIZES


def find_size(name: str) -> VmSize | None:
    """Give a size by its name, in any case, as Azure compares them; None when it is not in the table."""
    return _BY_NAME.get(name.lower())


def gpus_of(size: str) -> int:
    """Give the number of GPUs of a size.

    Raises:
        SpecError: The size is not in the table.
    """
    found = find_size(size)
    if found is None:
        raise SpecError(f"a size that this version does not know: {size}", hint="`llamalift plan` lists the known ones")
    return found.gpus


def processes_of(machine: Machine, size: str) -> int:
    """Give the number of training processes on a size: as the run file says, else one for each GPU, else 2.

    Raises:
        SpecError: The size is not in the table.
    """
    if machine.processes != "auto":
        return machine.processes
    return gpus_of(size) or CPU_PROCESSES


def wished_sizes(machine: Machine, *, rehearsal: bool) -> tuple[VmSize, ...]:
    """Give every size that a wish could mean; empty when none does, or when the run file names its size.

    `4xA100-80GB` means sizes with exactly that many of that GPU; `4xA100` takes any memory. `size: auto` means any size
    with a GPU, or without one on the rehearsal cloud.
    """
    if machine.gpus is not None:
        count, _, name = machine.gpus.lower().partition("x")
        return tuple(size for size in _SIZES if size.gpu and size.gpus == int(count) and _is_named(size.gpu, name))
    if machine.size == "auto":
        return tuple(size for size in _SIZES if (size.gpu is None) == rehearsal)
    return ()


def wish_words() -> tuple[str, ...]:
    """Give every wish that some size fulfils, as `machine.gpus` takes it."""
    return tuple(dict.fromkeys(f"{size.gpus}x{size.gpu.name}" for size in _SIZES if size.gpu))


def _is_named(gpu: Gpu, wish: str) -> bool:
    return gpu.name.lower() == wish or gpu.name.lower().startswith(f"{wish}-")
