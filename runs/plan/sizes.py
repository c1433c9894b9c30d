"""VM sizes that are known to work for this: a frozen table.

Sources: Microsoft's size pages (MicrosoftDocs/azure-compute-docs, sizes/gpu-accelerated/*-series.md and
sizes/general-purpose/*-series.md), read 2026-11. Peak figures are NVIDIA's data sheets, dense bf16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runs.errors import SpecError

if TYPE_CHECKING:
    from runs.spec.machine import Machine

# Two processes make a CPU run go through everything that several GPUs would: sharding, collectives, gathering.
CPU_PROCESSES = 2


@dataclass(frozen=True, slots=True)
class VmSize:
    """One VM size.

    Attributes:
        name: As Azure names it.
        vcpus: Virtual CPU cores.
        memory_gib: Main memory in GiB.
        gpu: What its GPUs are called; empty without any.
        gpus: Number of GPUs.
        gpu_memory_gb: Memory of one GPU in GB.
        gpu_teraflops: Peak of one GPU in bf16, dense, in 10^12 operations a second.
        disk_mb_per_second: Most that the machine moves to and from its uncached disks.
        local_nvme_gb: Local scratch in GB; lost when the machine stops.
    """

    name: str
    vcpus: int
    memory_gib: int
    gpu: str
    gpus: int
    gpu_memory_gb: int
    gpu_teraflops: float
    disk_mb_per_second: int
    local_nvme_gb: int

    @property
    def words(self) -> str:
        """`4 x A100-80GB`, or `2 vCPUs` without a GPU."""
        return f"{self.gpus} x {self.gpu}" if self.gpus else f"{self.vcpus} vCPUs"


_A100_40, _A100_80 = ("A100-40GB", 40, 312.0), ("A100-80GB", 80, 312.0)
_H100_NVL, _H100_SXM, _CPU = ("H100-NVL-94GB", 94, 835.0), ("H100-80GB", 80, 989.0), ("", 0, 0.0)


def _size(
    name: str,
    vcpus: int,
    memory_gib: int,
    gpus: int,
    gpu: tuple[str, int, float],
    disk_mb_per_second: int,
    nvme_gb: int,
) -> VmSize:
    return VmSize(name, vcpus, memory_gib, gpu[0], gpus, gpu[1], gpu[2], disk_mb_per_second, nvme_gb)


_SIZES = (
    _size("Standard_NC24ads_A100_v4", 24, 220, 1, _A100_80, 1000, 960),
    _size("Standard_NC48ads_A100_v4", 48, 440, 2, _A100_80, 2000, 1920),
    _size("Standard_NC96ads_A100_v4", 96, 880, 4, _A100_80, 4000, 3840),
    _size("Standard_ND96asr_v4", 96, 900, 8, _A100_40, 800, 6000),
    _size("Standard_ND96amsr_A100_v4", 96, 1900, 8, _A100_80, 800, 6400),
    _size("Standard_NC40ads_H100_v5", 40, 320, 1, _H100_NVL, 3000, 3576),
    _size("Standard_NC80adis_H100_v5", 80, 640, 2, _H100_NVL, 7000, 7152),
    _size("Standard_ND96isr_H100_v5", 96, 1900, 8, _H100_SXM, 612, 28672),
    _size("Standard_D2s_v5", 2, 8, 0, _CPU, 85, 0),
    _size("Standard_D4s_v5", 4, 16, 0, _CPU, 145, 0),
    _size("Standard_D8s_v5", 8, 32, 0, _CPU, 290, 0),
    _size("Standard_D16s_v5", 16, 64, 0, _CPU, 600, 0),
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


def processes_of(machine: Machine) -> int:
    """Give the number of training processes: as the run file says, else one for each GPU, else 2.

    Raises:
        SpecError: The size is not in the table.
    """
    if machine.processes != "auto":
        return machine.processes
    return gpus_of(machine.size) or CPU_PROCESSES
