"""What a run takes on one VM size: disk, saves, memory and time. Prices and places come later."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runs.plan.deepspeed_lint import Lint, lint
from runs.plan.disk import (
    CPU_ENVIRONMENT_BYTES,
    GIB,
    GPU_ENVIRONMENT_BYTES,
    UNKNOWN_DATA_BYTES,
    DiskChoice,
    DiskNeed,
    choose_disk,
)
from runs.plan.estimate import TimeEstimate, around_seconds, step_seconds
from runs.plan.memory_fit import Fit, MemoryFit, MemoryUse, memory_fit
from runs.plan.offload import Offload, offload_of
from runs.plan.packing import PackingPlan, packing_plan
from runs.plan.saves import SaveCosts, SavePlan, plan_saves
from runs.plan.sizes import CPU_PROCESSES
from runs.plan.two_speed import scratch_save_seconds
from templates.training.sizes import checkpoint_bytes, model_bytes

if TYPE_CHECKING:
    from runs.plan.memory import Sharding
    from runs.plan.sizes import VmSize
    from runs.plan.trouble import Trouble
    from runs.plan.workload import Workload
    from runs.spec.run_file import RunFile
    from runs.spec.train import Train

# Processes, libraries and collectives, until the first step of a trainer that is started again; on the long side.
LAUNCH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run takes on one VM size.

    Attributes:
        size: The machine.
        processes: Training processes, on all machines together.
        config: What the DeepSpeed config says.
        need: What must fit on the workspace disk.
        disk: The workspace disk.
        steps: Optimizer steps; None when the data cannot be known before it is on the machine.
        one_step_seconds: One optimizer step.
        saves: When it saves; None like `steps`.
        time: How long; None like `steps`.
        memory: What it takes on each GPU; None without GPUs.
        packing: How rows lie in their batches.
        trained: Parameters that are trained.
        offload: What offloading does; None without it.
        stages: The same for each stage of a `train` that is a list (stage_figures.py); none of any other.
    """

    size: VmSize
    processes: int
    config: Lint
    need: DiskNeed
    disk: DiskChoice
    steps: int | None
    one_step_seconds: float
    saves: SavePlan | None
    time: TimeEstimate | None
    memory: MemoryFit | None
    packing: PackingPlan
    trained: int
    offload: Offload | None = None
    stages: tuple[Figures, ...] = ()


def figures_of(work: Workload, size: VmSize, trouble: Trouble) -> Figures:
    """Work out what a run takes on a size; what cannot work on it is noted in `trouble`."""
    spec = work.loaded.spec
    if size.gpus and spec.cloud == "rehearsal":
        trouble.add(("machine", "size"), f"a rehearsal machine has no GPU; take Standard_D2s_v5, found: {size.name}")
    processes = _processes(work, size, trouble) * spec.machine.nodes
    config = lint(work.loaded.deepspeed_config(), spec.train, processes, gpus=size.gpus)
    for fault in config.faults:
        trouble.add(("train", "deepspeed"), fault)
    need = _need(work, size, config)
    disk = disk_of(work, size, need, trouble)
    packing = packing_plan(work.data, spec.train, processes)
    offload = _offload(work, size, processes, config, trouble)
    one_step = _step_seconds(work, size, processes, packing) + (0.0 if offload is None else offload.step_seconds)
    memory = _memory(work, size, processes, config, trouble)
    figures = Figures(
        size, processes, config, need, disk, packing.steps, one_step, None, None, memory, packing, work.trained, offload
    )
    return with_saves(spec, figures, None)


def with_saves(spec: RunFile, figures: Figures, evictions_per_hour: float | None) -> Figures:
    """The same with saves, and so with times, where machines are lost so often; None for never, or not known."""
    if figures.steps is None:
        return figures
    need, rate = figures.need, figures.disk.mb_per_second * 1e6
    durable = need.checkpoint / rate
    fast = scratch_save_seconds(spec, figures.size, need.checkpoint)
    one_save, drain = (durable, 0.0) if fast is None else (fast, durable)
    restart = LAUNCH_SECONDS + (need.checkpoint + need.weights) / rate
    saves = plan_saves(
        spec.save_schedule(evictions_per_hour, one_save),
        figures.steps,
        SaveCosts(figures.one_step_seconds, one_save, need.checkpoint, restart, drain),
        evictions_per_hour,
        relaunch=spec.checkpoints.relaunch,
    )
    return replace(figures, saves=saves, time=_time(spec.cloud, figures, saves, restart))


def _processes(work: Workload, size: VmSize, trouble: Trouble) -> int:
    wanted = work.loaded.spec.machine.processes
    if wanted == "auto":
        return size.gpus or CPU_PROCESSES
    most = size.gpus or size.vcpus
    if wanted > most:
        what = "GPUs" if size.gpus else "CPU cores"
        trouble.add(("machine", "processes"), f"expected at most {most} ({what} of {size.name}), found: {wanted}")
    return wanted


def _need(work: Workload, size: VmSize, config: Lint) -> DiskNeed:
    spec, parameters = work.loaded.spec, work.model.parameters
    precision = spec.train.precision
    adapters = 0 if spec.train.adapters is None else model_bytes(work.trained, precision)
    return DiskNeed(
        weights=work.model.weight_bytes,
        checkpoint=checkpoint_bytes(work.trained, config.stage, precision),
        checkpoints=spec.kept_checkpoints + 1 + len(spec.collect.wanted_steps),
        final=model_bytes(parameters, precision) + adapters,
        data=(work.data_bytes or UNKNOWN_DATA_BYTES) + work.synced_bytes,
        environment=GPU_ENVIRONMENT_BYTES if size.gpus else CPU_ENVIRONMENT_BYTES,
    )


def disk_of(work: Workload, size: VmSize, need: DiskNeed, trouble: Trouble) -> DiskChoice:
    """Choose the disk for what must fit; one that was asked for and is too small is noted in `trouble`."""
    storage = work.loaded.spec.storage
    wanted = None if storage.workspace_gib == "auto" else storage.workspace_gib
    least = math.ceil(need.total / GIB)
    if wanted is not None and wanted < least:
        trouble.add(("storage", "workspace_gib"), f"too small for what must fit: {least} GiB, found: {wanted}")
    return choose_disk(
        need,
        storage.disk_type,
        wanted_gib=wanted,
        machine_mb_per_second=size.disk_mb_per_second,
        # Adapters' checkpoints are small, whatever the base is.
        parameters=work.trained,
    )


def _step_seconds(work: Workload, size: VmSize, processes: int, packing: PackingPlan) -> float:
    train = work.loaded.spec.train
    tokens_per_step = packing.rows_per_step * packing.slots_per_row
    return step_seconds(work.model.parameters, tokens_per_step, size, processes, train)


def _time(cloud: str, figures: Figures, saves: SavePlan, restart_seconds: float) -> TimeEstimate:
    need, steps = figures.need, figures.steps or 0
    around = around_seconds(cloud, need.weights + need.data + need.final)
    if saves.relaunching is not None:
        steps += saves.relaunching.recomputed_steps
        around += (len(saves.relaunching.launches) - 1) * restart_seconds
    # The last save is waited for until it is durable.
    saving = saves.total_seconds + saves.drain_seconds
    return TimeEstimate(figures.one_step_seconds, steps * figures.one_step_seconds, saving, around)


def _offload(work: Workload, size: VmSize, processes: int, config: Lint, trouble: Trouble) -> Offload | None:
    gpus = processes if size.gpus else 0
    spec, sharding = work.loaded.spec, config.sharding
    offload = offload_of(work.model.parameters, work.trained, gpus, sharding, spec.train, nodes=spec.machine.nodes)
    if offload is not None and offload.main_memory_bytes > size.memory_gib * GIB:
        need, there = f"{offload.main_memory_bytes / 1e9:,.0f}", f"{size.memory_gib:,} GiB"
        trouble.add(("train", "deepspeed"), f"offloading needs {need} GB of main memory; {size.name} has: {there}")
    return offload


def _memory(work: Workload, size: VmSize, processes: int, config: Lint, trouble: Trouble) -> MemoryFit | None:
    train = work.loaded.spec.train
    if size.gpu is None:
        if train.adapters is not None and train.adapters.quantize != "none":
            found = f"needs an NVIDIA GPU, and {size.name} has none, found: {train.adapters.quantize}"
            trouble.add(("train", "lora", "quantize"), found)
        return None
    sharding = config.sharding
    memory = memory_fit(
        MemoryUse(work.model.parameters, work.shape, train, size.gpu, processes, work.trained), sharding
    )
    if memory.fit is Fit.TOO_LARGE:
        trouble.add(("machine", "size"), _too_large(memory, sharding, train), "")
    return memory


def _too_large(memory: MemoryFit, sharding: Sharding, train: Train) -> str:
    """What it would take, the first way that would do instead, and what there is."""
    parts = f"weights and optimizer state {memory.states_bytes / 1e9:.0f} under {sharding.words}"
    if memory.activations_bytes is not None:
        rows, tokens = train.per_device_train_batch_size, train.model_max_length
        parts += f", activations {memory.activations_bytes / 1e9:.0f} for {rows} rows of {tokens:,} tokens"
    other = next((stage.words for stage in memory.stages if stage.fit is not Fit.TOO_LARGE), None)
    remedy = f"; {other} would fit" if other else ""
    return f"each GPU would need {memory.taken_bytes / 1e9:.0f} GB ({parts}){remedy}; it has: {memory.gpu_gb} GB"
